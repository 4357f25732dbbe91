"""What goes into a batch without holding its messages: they are committed before it is done, at most once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from millstream.router.delivery.outliving import outliving_run
from millstream.router.delivery.run import MessageRun

from .batcher import MessageBatcher


def add_run_unheld(batcher: MessageBatcher, run: MessageRun, items: Sequence[Any]) -> None:
    """Do for all of *run*, of which *items* were parsed, what `MessageBatcher.add_unheld` does for a message.

    Raises:
        Cancelled, HaltedError, ConfigurationError: as for `MessageBatcher.add`.
    """
    batcher.is_unheld = True
    # Held for as long as it takes to add it, which also tells a repetition and that its partition is gone.
    if run.hold(batcher):
        batcher.add_run(outliving_run(run), items)
        run.delivery.release(batcher)
