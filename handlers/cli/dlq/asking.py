"""Asking brokers again that are only just coming up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from millstream.router import MONOTONIC, TransientError
from millstream.router.clock import Clock

PATIENCE_SECONDS = 30.0
"""A coordinator that moves, or is asked for the first time, answers within a few seconds."""
ASK_AGAIN_SECONDS = 0.25

Answer = TypeVar("Answer")


def ask_again(
    question: Callable[[], Answer],
    clock: Clock = MONOTONIC,
    wait: Callable[[float], object] | None = None,
    seconds: float = PATIENCE_SECONDS,
) -> Answer:
    """Return the answer to *question*, which is asked again for *seconds* while what is wrong may pass.

    Raises:
        TransientError: it has not passed by then.
    """
    wait = threading.Event().wait if wait is None else wait
    deadline = clock.now() + seconds
    while True:
        try:
            return question()
        except TransientError:
            if clock.now() >= deadline:
                raise
        wait(ASK_AGAIN_SECONDS)
