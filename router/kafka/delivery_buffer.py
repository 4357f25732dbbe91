"""Between the poll thread and whoever receives: chunks of messages, bounded by their number and bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from ..assignment import Assignment
from ..clock import MONOTONIC
from ..errors import SubscriptionClosed
from ..message import Message


class DeliveryBuffer:
    """A bounded queue of chunks. One thread puts, one receives; any may close it.

    Args:
        max_messages, max_bytes: what may wait here before the poll thread waits, and then pauses; bytes of payload.
    """

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._chunks: deque[list[Message]] = deque()
        self._count = 0
        self._bytes = 0
        self._is_closed = False
        self._error: BaseException | None = None

    def put(self, chunk: list[Message]) -> None:
        """Append *chunk*, also when that goes past the bound: it was fetched, and nothing is dropped."""
        with self._condition:
            self._chunks.append(chunk)
            self._account(chunk, 1)
            self._condition.notify_all()

    def _account(self, chunk: list[Message], sign: int) -> None:
        self._count += sign * len(chunk)
        self._bytes += sign * sum([len(message.payload) for message in chunk])

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Return the next messages; see `Subscription.receive`. Raises what `fail` was given."""
        deadline = MONOTONIC.now() + timeout
        with self._condition:
            while not self._chunks:
                if self._error is not None:
                    raise self._error
                if self._is_closed:
                    raise SubscriptionClosed
                if MONOTONIC.now() >= deadline:
                    return []
                MONOTONIC.wait_until(self._condition, deadline)
            chunk = self._chunks.popleft()
            if len(chunk) > max_messages:
                self._chunks.appendleft(chunk[max_messages:])
                chunk = chunk[:max_messages]
            self._account(chunk, -1)
            if self.has_room:
                self._condition.notify_all()
            return chunk

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
            kept = [[message for message in chunk if id(message.assignment) not in gone] for chunk in self._chunks]
            self._chunks = deque(chunk for chunk in kept if chunk)
            self._count = self._bytes = 0
            for chunk in self._chunks:
                self._account(chunk, 1)
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
