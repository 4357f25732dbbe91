"""Who may insert next, when several batchers want to."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

URGENT = -1
"""The rank of a flush that a revoke or a shutdown waits for."""
LOOK_AGAIN_SECONDS = 0.05
"""Between looks at the ranks of all who wait: one that becomes urgent tells nobody."""


class InsertGate:
    """Lets so many batches be inserted at a time; of those that wait, the lowest rank goes first.

    Args:
        at_once: how many.

    Example:
        >>> gate = InsertGate()
        >>> def process(batch):
        ...     print([each.item for each in batch])
        >>> batcher = MessageBatcher(BatchConfig(), process, gate=gate)
        >>> patient = MessageBatcher(BatchConfig(), process, name="patient", gate=gate, rank=1)  # yields where both want to
        >>> batcher.add(BatchMessage(Message(b"payload"), 1))
        >>> batcher.drain(MonotonicClock().now() + 10)
        [1]
        True
    """

    def __init__(self, at_once: int = 1) -> None:
        self._condition = threading.Condition()
        self._waiting: list[Callable[[], int]] = []
        self._at_once = at_once
        self._inserting = 0
        self.is_closed = False
        """Nobody gets a turn any more."""

    @contextlib.contextmanager
    def turn(self, rank: Callable[[], int]) -> Iterator[None]:
        """Wait for the turn of *rank* (0 for the regular lane, higher yields) and keep it for the body.

        The rank is asked for again and again: one that waits may have become urgent. On a closed gate it waits for ever.
        """
        with self._condition:
            self._waiting.append(rank)
            while not (self._is_free and self._is_first(rank)):
                self._condition.wait(LOOK_AGAIN_SECONDS)
            self._waiting.remove(rank)
            self._inserting += 1
            self._condition.notify_all()  # who has yielded to it may go beside it
        try:
            yield
        finally:
            with self._condition:
                self._inserting -= 1
                self._condition.notify_all()

    def _is_first(self, rank: Callable[[], int]) -> bool:
        mine = rank()  # once: it may change between two looks
        return all(mine <= each() for each in self._waiting if each is not rank)

    @property
    def _is_free(self) -> bool:
        return self._inserting < self._at_once and not self.is_closed

    def close(self, timeout: float | None = None) -> bool:
        """Let no insert follow those in hand, and wait for them: for the end of a process that does not wait for its batchers.

        Returns False when they have not ended after *timeout* seconds; `None` waits as long as it takes.
        """
        with self._condition:
            self.is_closed = True
            return self._condition.wait_for(lambda: not self._inserting, timeout)
