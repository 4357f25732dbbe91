"""The open batch: what was added and is in no batch yet, and when it should be.

A plain object, fed with batch messages and times, under the lock of its batcher.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import cast

from .batch import Batch, Trigger
from .batch_message import BatchMessage
from .batch_run import BatchRun
from .budget import Budget
from .config import BatchConfig
from .rows import Row


class BatchBuffer:
    """Rows in arrival order, their bytes, and the time of the oldest.

    Args:
        config: when a batch is due, and how large it may be.
        budget: what it shares with others, in place of the bound of *config*, from `join` on.
    """

    def __init__(self, config: BatchConfig, budget: Budget | None = None) -> None:
        self.size_bytes = 0
        """Payload bytes of the rows here."""
        self.room_bytes = config.max_pending_bytes if budget is None else 0
        """Payload bytes that may still be added: the bound less the rows here and the batches that are not done."""
        self._budget = budget
        self._borrowed = 0
        self.is_closed = False
        """Nothing is taken in any more: nobody would flush it."""
        self._config = config
        self._batch_size = config.batch_size
        self._limit = config.limit
        self._max_bytes = config.max_batch_bytes
        self._rows: deque[Row] = deque()
        self._more = 0
        """Rows beyond the entries of `_rows`: those of runs, but for one each."""
        self.oldest: float | None = None
        """When the oldest row came."""
        self._requested: Trigger | None = None

    def add(self, row: BatchMessage, size_bytes: int) -> bool:
        """Append *row*; returns whether this changes anything for whoever waits: first row, due or full batch, or no room."""
        rows = self._rows
        rows.append(row)
        before = self.size_bytes
        self.size_bytes = after = before + size_bytes
        self.room_bytes = room = self.room_bytes - size_bytes
        count = len(rows) + self._more
        is_mark = count == 1 or count == self._batch_size or count == self._limit
        return is_mark or room <= 0 or before < self._max_bytes <= after

    def add_run(self, run: BatchRun) -> bool:
        """Append the rows of *run*; returns what `add` would for one of them at least."""
        size_bytes, count = run.size_bytes, len(self)
        before, self.size_bytes = self.size_bytes, self.size_bytes + size_bytes
        self.room_bytes -= size_bytes
        self._rows.append(run)
        self._more += run.count - 1
        now = len(self)
        fills = count < self._batch_size <= now or count < self._limit <= now
        return count == 0 or fills or before < self._max_bytes <= self.size_bytes or self.room_bytes <= 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to make a batch of."""
        return not self._rows

    @property
    def has_whole_batch(self) -> bool:
        """Whether the next batch is as large as one may be."""
        return len(self) >= self._limit or self.size_bytes >= self._max_bytes

    def join(self) -> None:
        """Take the reserve that its budget has for it; once."""
        if self._budget is not None:
            self.room_bytes += self._budget.join()

    def find_room(self) -> bool:
        """Return whether more may be added, if need be with what the budget lends."""
        while self.room_bytes <= 0 and self._budget is not None and (lent := self._budget.borrow()):
            self.room_bytes += lent
            self._borrowed += lent
        return self.room_bytes > 0

    def _give_room(self, size_bytes: int) -> None:
        self.room_bytes += size_bytes
        spare = min(self._borrowed, self.room_bytes)
        if self._budget is not None and spare > 0:
            self._borrowed -= spare
            self.room_bytes -= spare
            self._budget.give_back(spare)

    def start_age(self, now: float) -> None:
        """Note when the oldest row came."""
        if self.oldest is None:
            self.oldest = now

    def request(self, trigger: Trigger) -> None:
        """Make what is here due at once, for a reason from outside."""
        if self._rows:
            self._requested = trigger

    def due(self, now: float) -> Trigger | None:
        """Return why a batch is due at the moment *now*, or `None`."""
        if not self._rows:
            return None
        if self._requested is not None:
            return self._requested
        if len(self) >= self._config.batch_size:
            return Trigger.SIZE
        if self.size_bytes >= self._config.max_batch_bytes:
            return Trigger.BYTES
        if self.oldest is not None and now >= self.oldest + self._config.flush_interval:
            return Trigger.AGE
        return None

    @property
    def deadline(self) -> float | None:
        """When the oldest row triggers a flush, or `None` when there is none."""
        return None if self.oldest is None else self.oldest + self._config.flush_interval

    def pop_batch(self, trigger: Trigger) -> Batch:
        """Close the next batch and take it out, at most `max_batch_size` rows and `max_batch_bytes`, but at least one row."""
        batch = self._pop_all(trigger) or self._pop_messages(trigger) or self._pop_one_by_one(trigger)
        batch.oldest = self.oldest
        self.size_bytes -= batch.size_bytes
        if not self._rows:
            # Rows that stay keep the older time: flushed a little early, never late.
            self.oldest = self._requested = None
        return batch

    def _pop_all(self, trigger: Trigger) -> Batch | None:
        if len(self) > self._limit or self.size_bytes > self._max_bytes:
            return None
        batch = Batch(self._rows, trigger=trigger, size_bytes=self.size_bytes)
        self._rows.clear()
        self._more = 0
        return batch

    def _pop_messages(self, trigger: Trigger) -> Batch | None:
        """Close a batch of as many rows as one may have; `None` where there is a run among them, or too many bytes."""
        rows = list(islice(self._rows, self._limit))
        if BatchRun in set(map(type, rows)):
            return None
        messages = cast("list[BatchMessage]", rows)
        # Written out: a call for each message would cost more than all the rest.
        size_bytes = sum([len(row.message.payload if row.part is None else row.part) for row in messages])
        if size_bytes > self._max_bytes:
            return None
        for _ in rows:
            self._rows.popleft()
        return Batch(rows, trigger=trigger, size_bytes=size_bytes)

    def _pop_one_by_one(self, trigger: Trigger) -> Batch:
        rows: list[Row] = []
        count = size_bytes = 0
        limit, max_bytes = self._limit, self._max_bytes
        while self._rows and count < limit:
            row = self._rows[0]
            if isinstance(row, BatchRun):
                part = self._pop_run(row, limit - count, max_bytes - size_bytes, is_first=not rows)
                if part is None:
                    break
                row = part
                count += part.count
                size_bytes += part.size_bytes
            else:
                row_bytes = _size(row)
                if rows and size_bytes + row_bytes > max_bytes:
                    break
                self._rows.popleft()
                count += 1
                size_bytes += row_bytes
            rows.append(row)
        return Batch(rows, trigger=trigger, size_bytes=size_bytes)

    def _pop_run(self, run: BatchRun, limit: int, max_bytes: int, *, is_first: bool) -> BatchRun | None:
        """Take out *run*, which is first, or as many of its rows as fit; `None` where not one does. The first row always does."""
        fitting = run.count if run.size_bytes <= max_bytes else run.rows_within(max_bytes)
        taken = min(max(fitting, int(is_first)), limit)
        if taken == 0:
            return None
        if taken == run.count:
            self._rows.popleft()
            self._more -= taken - 1
            return run
        head, self._rows[0] = run.cut(taken)
        self._more -= taken
        return head

    def done(self, batch: Batch) -> None:
        """Give the bytes of a *batch* back."""
        self._give_room(batch.size_bytes)

    def discard_void(self) -> None:
        """Drop the rows that nobody waits for any more."""
        kept = deque(row for row in self._rows if not _is_void(row))
        kept_bytes = sum(map(_size, kept))
        self._more = sum(map(_count, kept)) - len(kept)
        self._rows = kept
        self._give_room(self.size_bytes - kept_bytes)
        self.size_bytes = kept_bytes
        if not kept:
            self.oldest = self._requested = None

    def __len__(self) -> int:
        return len(self._rows) + self._more


def _count(row: Row) -> int:
    return row.count if isinstance(row, BatchRun) else 1


def _size(row: Row) -> int:
    return row.size_bytes if isinstance(row, BatchRun) else len(row.payload)


def _is_void(row: Row) -> bool:
    return row.is_void if isinstance(row, BatchRun) else row.message.is_void
