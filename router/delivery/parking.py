"""Messages that wait for a redelivery, with everything behind them that must not overtake.

A plain object, fed with messages and times. The *key* says what must stay in order: the assignment of a message, or
its key when a handler has several threads. There may be as many keys as messages, and as many messages behind one: nothing here
looks at all of them, but for `discard`.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Hashable, Iterable

from .assignment import Assignment
from .message import Message


class Parking:
    """Per key: the moment of the next try, and the messages that wait for it."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[Message]] = {}
        self._moments: dict[Hashable, tuple[float, int]] = {}
        """When each key is due, and which turn among equals it has."""
        self._order: list[tuple[float, int, Hashable]] = []
        """The same as a heap; what `_moments` does not know any more is passed over."""
        self._turns = itertools.count()
        self._count = 0

    def park(self, key: Hashable, message: Message, due: float) -> None:
        """Keep a nacked *message* in front of its key until the moment *due*."""
        turn = next(self._turns)
        self._moments[key] = due, turn
        heapq.heappush(self._order, (due, turn, key))
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
        return key in self._moments

    def next_due(self) -> float | None:
        """Return the moment of the earliest retry, or `None` when nothing waits."""
        order = self._order
        while order and self._moments.get(order[0][2]) != order[0][:2]:
            heapq.heappop(order)
        return order[0][0] if order else None

    def next_message(self, now: float) -> Message | None:
        """Return, and forget, the first message of the key that was due first; what is behind it stays, and is due as well.

        `None` when nothing is due at the moment *now*.
        """
        due = self.next_due()
        if due is None or due > now:
            return None
        key = self._order[0][2]
        waiting = self._waiting[key]
        message = waiting.popleft()
        if not waiting:
            self._forget(key)
        self._count -= 1
        return message

    def take_due(self, now: float) -> list[Message]:
        """Return, and forget, all messages of the keys whose moment has come, in order by key."""
        taken: list[Message] = []
        while (message := self.next_message(now)) is not None:
            taken.append(message)
        return taken

    def discard(self, assignments: Iterable[Assignment]) -> int:
        """Drop the messages of *assignments*; returns how many."""
        gone = set(map(id, assignments))
        before = self._count
        for key, waiting in list(self._waiting.items()):
            for message in waiting:
                if id(message.assignment) in gone:
                    message.delivery.forget_unsent()
            kept = deque(message for message in waiting if id(message.assignment) not in gone)
            self._count += len(kept) - len(waiting)
            self._waiting[key] = kept
            if not kept:
                self._forget(key)
        return before - self._count

    def _forget(self, key: Hashable) -> None:
        del self._moments[key], self._waiting[key]

    def __len__(self) -> int:
        return self._count
