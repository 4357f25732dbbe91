"""Which batch is begun, and when: the next one after the last, or beside it where there is more to do than one at a time."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from millstream.router import Clock

from .batch import Batch, Trigger
from .buffer import BatchBuffer


class Dispatch:
    """Gives batches to the threads that process them.

    One at a time, so that the next one grows meanwhile. Another is begun beside it only where it would not grow: when it is as
    large as one may be. None is while one is in trouble: what is stored behind that could not be committed.

    Args:
        buffer: where batches come from.
        condition: its lock; notified of all that changes.
        clock: what tells the time.
        is_in_trouble: tells whether a batch in hand is.
    """

    def __init__(
        self, buffer: BatchBuffer, condition: threading.Condition, clock: Clock, is_in_trouble: Callable[[], bool]
    ) -> None:
        self.is_urgent = False
        """Whether a revoke or the shutdown waits for what is in hand, or here."""
        self.is_draining = False
        self._buffer = buffer
        self._condition = condition
        self._clock = clock
        self._is_in_trouble = is_in_trouble
        self.in_hand: list[Batch] = []
        """Batches that were given out and are not done."""
        self.flushes: Counter[Trigger] = Counter()
        """Batches given out, by what made them due."""
        self.is_over = False
        """Whether no further batch is given out."""

    def flush(self, trigger: Trigger) -> None:
        """Make what is here due at once, ahead of any other lane. Under the lock."""
        self.is_urgent = True
        self._buffer.request(trigger)
        self._condition.notify_all()

    def next_batch(self) -> Batch | None:
        """Wait for the next batch; `None` when there will be none."""
        with self._condition:
            while not self.is_over:
                trigger = self._due()
                if trigger is not None:
                    self.in_hand.append(self._buffer.pop_batch(trigger))
                    self.flushes[trigger] += 1
                    return self.in_hand[-1]
                if self.in_hand:
                    self._clock.wait_until(self._condition, None)
                    continue
                self.is_urgent = False
                if self.is_draining:
                    self._buffer.is_closed = True
                    break
                self._clock.wait_until(self._condition, self._buffer.deadline)
        return None

    def _due(self) -> Trigger | None:
        if self.in_hand and (self._is_in_trouble() or not self._buffer.has_whole_batch):
            return None
        trigger = self._buffer.due(self._clock.now())
        if trigger is None and self.is_draining and not self._buffer.is_empty:
            return Trigger.SHUTDOWN
        return trigger

    def give_back(self, batch: Batch, *, is_done: bool) -> None:
        """Take note that nobody works on *batch* any more: it *is_done*, or was given up and stays in hand. Under the lock."""
        if is_done:
            self.in_hand.remove(batch)
        self._buffer.done(batch)
        self._condition.notify_all()

    def end(self) -> None:
        """Give out no further batch."""
        with self._condition:
            self.is_over = True
            self._condition.notify_all()

    @property
    def messages(self) -> int:
        """Messages that are here or in hand."""
        return len(self._buffer) + sum(map(len, self.in_hand))
