"""Between the poll thread and whoever receives: chunks of messages, bounded by their number and bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence

from ...clock import MONOTONIC
from ...delivery.assignment import Assignment
from ...delivery.run import Entry, MessageRun
from ...errors import SubscriptionClosed


class _Chunk:
    """Messages and runs, and the number and bytes that they were counted for: once, though they are accounted for twice."""

    __slots__ = ("bytes", "count", "entries")

    def __init__(self, entries: list[Entry], count: int, size: int) -> None:
        self.entries = entries
        self.count = count
        self.bytes = size

    def part(self, entries: list[Entry]) -> _Chunk:
        """Return some of its *entries* with their share of the bytes."""
        count = count_messages(entries)
        return _Chunk(entries, count, self.bytes * count // self.count)

    def cut(self, count: int) -> tuple[list[Entry], list[Entry]]:
        """Return what makes its first *count* messages, and the others; a run between them is cut."""
        for place, entry in enumerate(self.entries):
            if count <= entry.more:
                if count == 0 or not isinstance(entry, MessageRun):
                    return self.entries[:place], self.entries[place:]
                head, tail = entry.cut(count)
                return [*self.entries[:place], head], [tail, *self.entries[place + 1 :]]
            count -= 1 + entry.more
        return self.entries, []


def count_messages(entries: Iterable[Entry]) -> int:
    """Return how many messages *entries* are."""
    return sum([1 + entry.more for entry in entries])


def _payload_bytes(entry: Entry) -> int:
    return sum(map(len, entry.payloads)) if isinstance(entry, MessageRun) else len(entry.payload)


class DeliveryBuffer:
    """A bounded queue of chunks. One thread puts, one receives; any may close it.

    Args:
        max_messages, max_bytes: what may wait here before the poll thread waits, and then pauses.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._chunks: deque[_Chunk] = deque()
        self._count = 0
        self._bytes = 0
        self._is_closed = False
        self._is_woken = False
        self._error: BaseException | None = None

    def put(self, chunk: Sequence[Entry], count: int | None = None, size: int | None = None) -> None:
        """Append *chunk*, also when that goes past the bound: it was fetched, and nothing is dropped.

        Args:
            chunk: the messages, one by one or in runs.
            count: how many messages that is; by default they are counted.
            size: what they count for in bytes; by default their payloads.
        """
        if not chunk:
            return
        count = count_messages(chunk) if count is None else count
        counted = _Chunk(list(chunk), count, sum(map(_payload_bytes, chunk)) if size is None else size)
        with self._condition:
            self._chunks.append(counted)
            self._account(counted, 1)
            self._condition.notify_all()

    def _account(self, chunk: _Chunk, sign: int) -> None:
        self._count += sign * chunk.count
        self._bytes += sign * chunk.bytes

    def receive(self, max_messages: int, timeout: float) -> list[Entry]:
        """Return the next messages; see `Subscription.receive`. Raises what `fail` was given. `[]` early after a `wake`."""
        deadline = MONOTONIC.now() + timeout
        with self._condition:
            while not self._chunks:
                if self._error is not None:
                    raise self._error
                if self._is_closed:
                    raise SubscriptionClosed
                if self._is_woken:
                    self._is_woken = False
                    return []
                if MONOTONIC.now() >= deadline:
                    return []
                MONOTONIC.wait_until(self._condition, deadline)
            chunk = self._chunks.popleft()
            self._account(chunk, -1)
            taken = chunk.entries
            if chunk.count > max_messages:
                taken, left = chunk.cut(max_messages)
                rest = chunk.part(left)
                self._chunks.appendleft(rest)
                self._account(rest, 1)
            if self.has_room:
                self._condition.notify_all()
            return taken

    @property
    def messages(self) -> int:
        """Messages that wait to be received."""
        return self._count

    @property
    def bytes(self) -> int:
        """What they count for in bytes."""
        return self._bytes

    @property
    def is_full(self) -> bool:
        """Whether no more should be put."""
        return self._count >= self._max_messages or self._bytes >= self._max_bytes

    @property
    def has_room(self) -> bool:
        """Whether enough was received that fetching pays again: half of it."""
        return self._count <= self._max_messages // 2 and self._bytes <= self._max_bytes // 2

    def wait_for_room(self, seconds: float) -> bool:
        """Wait until it is no longer full; returns False after *seconds*."""
        with self._condition:
            return self._condition.wait_for(lambda: not self.is_full or self._is_closed, seconds)

    def discard(self, assignments: Iterable[Assignment]) -> None:
        """Drop what was not received of *assignments*."""
        gone = set(map(id, assignments))
        with self._condition:
            kept = [
                chunk.part([each for each in chunk.entries if id(each.assignment) not in gone])
                for chunk in self._chunks
            ]
            self._chunks = deque(chunk for chunk in kept if chunk.entries)
            self._count = self._bytes = 0
            for chunk in self._chunks:
                self._account(chunk, 1)
            self._condition.notify_all()

    def wake(self) -> None:
        """Let a receiver that waits here, or comes next and finds nothing, return: something else is about to be due."""
        with self._condition:
            self._is_woken = True
            self._condition.notify_all()

    def close(self) -> None:
        """Let the receiver see the end, once it has received what is here."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def fail(self, error: BaseException) -> None:
        """Let the receiver see *error*, once it has received what is here."""
        with self._condition:
            self._error = error
            self._condition.notify_all()
