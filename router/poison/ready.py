"""The messages of a poison sink that wait to be written, bounded by number and bytes. No lock: its owner has one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from ..delivery.message import Message
from .record import size_of

MAX_RECORDS = 1000
"""Records per write: one fsync or one publish for many."""
MAX_READY = 10 * MAX_RECORDS
"""Messages that wait to be written before the handler takes in nothing new: a topic of nothing but bad messages must not
pile up in memory."""
MAX_WRITE_BYTES = 8 * 1024 * 1024
"""Bytes per write, but for one message that has more."""
MAX_READY_BYTES = 4 * MAX_WRITE_BYTES
"""The same as `MAX_READY`, in bytes."""


class Ready:
    """A queue. Each message weighs what it weighed when it came: nobody keeps it from being changed meanwhile."""

    def __init__(self) -> None:
        self._queue: deque[tuple[Message, int]] = deque()
        self._bytes = 0

    def put(self, message: Message) -> None:
        """Append *message*."""
        size = size_of(message)
        self._queue.append((message, size))
        self._bytes += size

    def put_back(self, messages: Iterable[Message]) -> None:
        """Put *messages*, in their order, in front of all others."""
        weighed = [(message, size_of(message)) for message in messages]
        self._queue.extendleft(reversed(weighed))
        self._bytes += sum(size for _, size in weighed)

    def take(self) -> list[Message]:
        """Return, and forget, as many as one write may have: at least one."""
        taken: list[Message] = []
        left = MAX_WRITE_BYTES
        while self._queue and len(taken) < MAX_RECORDS and (not taken or self._queue[0][1] <= left):
            message, size = self._queue.popleft()
            taken.append(message)
            left -= size
            self._bytes -= size
        return taken

    def drop(self, is_gone: Callable[[Message], bool]) -> list[Message]:
        """Forget those of which *is_gone* says so, and return them."""
        gone = [message for message, _ in self._queue if is_gone(message)]
        kept = [(message, size) for message, size in self._queue if not is_gone(message)]
        self._queue = deque(kept)
        self._bytes = sum(size for _, size in kept)
        return gone

    @property
    def is_full(self) -> bool:
        """Whether nothing more should come."""
        return len(self._queue) >= MAX_READY or self._bytes >= MAX_READY_BYTES

    def __len__(self) -> int:
        return len(self._queue)
