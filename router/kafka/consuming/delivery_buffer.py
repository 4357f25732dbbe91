"""Between the poll thread and whoever receives: chunks of messages, bounded by their number and bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from ...clock import MONOTONIC
from ...delivery.assignment import Assignment
from ...delivery.message import Message
from ...errors import SubscriptionClosed


class _Chunk:
    """Messages, and the bytes that they were counted for: once, though they are accounted for twice."""

    __slots__ = ("bytes", "messages")

    def __init__(self, messages: list[Message], size: int | None = None) -> None:
        self.messages = messages
        self.bytes = sum([len(message.payload) for message in messages]) if size is None else size

    def part(self, messages: list[Message]) -> _Chunk:
        """Return some of its *messages* with their share of the bytes."""
        return _Chunk(messages, self.bytes * len(messages) // len(self.messages))


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

    def put(self, chunk: list[Message], size: int | None = None) -> None:
        """Append *chunk*, also when that goes past the bound: it was fetched, and nothing is dropped.

        Args:
            chunk: the messages.
            size: what they count for in bytes; by default their payloads.
        """
        if not chunk:
            return
        counted = _Chunk(chunk, size)
        with self._condition:
            self._chunks.append(counted)
            self._account(counted, 1)
            self._condition.notify_all()

    def _account(self, chunk: _Chunk, sign: int) -> None:
        self._count += sign * len(chunk.messages)
        self._bytes += sign * chunk.bytes

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
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
            if len(chunk.messages) > max_messages:
                rest = chunk.part(chunk.messages[max_messages:])
                self._chunks.appendleft(rest)
                self._account(rest, 1)
            if self.has_room:
                self._condition.notify_all()
            return chunk.messages[:max_messages]

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
                chunk.part([each for each in chunk.messages if id(each.assignment) not in gone])
                for chunk in self._chunks
            ]
            self._chunks = deque(chunk for chunk in kept if chunk.messages)
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
