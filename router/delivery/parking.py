"""Messages that wait for a redelivery, with everything behind them that must not overtake.

A plain object, fed with messages and times. The *key* says what must stay in order: the assignment of a message, or
its key when a handler has several threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

from .assignment import Assignment
from .message import Message


class Parking:
    """Per key: the moment of the next try, and the messages that wait for it."""

    def __init__(self) -> None:
        self._due: dict[Hashable, float] = {}
        self._waiting: dict[Hashable, deque[Message]] = {}
        self._count = 0

    def park(self, key: Hashable, message: Message, due: float) -> None:
        """Keep a nacked *message* in front of its key until the moment *due*."""
        self._due[key] = due
        self._waiting.setdefault(key, deque()).appendleft(message)
        self._count += 1

    def queue(self, key: Hashable, messages: Iterable[Message]) -> None:
        """Put *messages* behind what is parked under *key*."""
        waiting = self._waiting[key]
        before = len(waiting)
        waiting.extend(messages)
        self._count += len(waiting) - before

    def holds(self, key: Hashable) -> bool:
        """Whether messages of *key* have to queue up here."""
        return key in self._due

    def next_due(self) -> float | None:
        """Return the moment of the earliest retry, or `None` when nothing waits."""
        return min(self._due.values(), default=None)

    def take_due(self, now: float) -> list[tuple[Hashable, list[Message]]]:
        """Return, and forget, the keys whose moment has come, each with its messages in order."""
        keys = [key for key, due in self._due.items() if due <= now]
        return [(key, self._take(key)) for key in keys]

    def _take(self, key: Hashable) -> list[Message]:
        del self._due[key]
        messages = list(self._waiting.pop(key))
        self._count -= len(messages)
        return messages

    def discard(self, assignments: Iterable[Assignment]) -> int:
        """Drop the messages of *assignments*; returns how many."""
        gone = set(map(id, assignments))
        before = self._count
        for key in list(self._due):
            kept = deque(message for message in self._waiting[key] if id(message.assignment) not in gone)
            self._count += len(kept) - len(self._waiting[key])
            self._waiting[key] = kept
            if not kept:
                del self._due[key], self._waiting[key]
        return before - self._count

    def __len__(self) -> int:
        return self._count
