"""The messages of a run as rows of a batch, until somebody looks at one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from millstream.router.delivery.run import MessageRun

from .batch_message import BatchMessage


class BatchRun(msgspec.Struct, gc=False, eq=False):
    """Rows that share one fate.

    Args:
        run: their messages; held by the batcher until all are stored.
        items: what they were parsed into, one for each.
    """

    run: MessageRun
    items: Sequence[Any]

    @property
    def size_bytes(self) -> int:
        """What they weigh."""
        return self.run.size_bytes

    @property
    def count(self) -> int:
        """How many rows it is."""
        return len(self.items)

    @property
    def is_void(self) -> bool:
        """Whether nobody waits for them any more."""
        return self.run.is_void

    def divide(self) -> list[BatchMessage]:
        """Return the rows by themselves; from now on each has a fate of its own."""
        return list(map(BatchMessage, self.run.divide(), self.items))

    def cut(self, count: int) -> tuple[BatchRun, BatchRun]:
        """Return the first *count* rows, and the others."""
        head, tail = self.run.cut(count)
        return BatchRun(head, self.items[:count]), BatchRun(tail, self.items[count:])

    def rows_within(self, size_bytes: int) -> int:
        """Return how many of the first rows weigh no more than *size_bytes* together."""
        for place, payload in enumerate(self.run.payloads):
            size_bytes -= len(payload)
            if size_bytes < 0:
                return place
        return self.count
