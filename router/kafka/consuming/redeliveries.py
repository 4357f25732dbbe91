"""Messages that were nacked outside a router, until they are due again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from ...clock import MONOTONIC
from ...delivery.assignment import Assignment
from ...delivery.message import Message
from ...delivery.parking import Parking


class Redeliveries:
    """Keeps nacked messages for *delay* seconds. Thread-safe: anybody may nack. Calls *wake* then: a receiver may be waiting.

    Messages that follow a nacked one may have been received already: without a router, nobody keeps them back.
    """

    def __init__(self, delay: float, wake: Callable[[], None] = lambda: None) -> None:
        self._delay = delay
        self._wake = wake
        self._lock = threading.Lock()
        self._parking = Parking()
        self._ready: deque[Message] = deque()
        """What was due when there was no room for it in the answer."""

    def add(self, message: Message) -> None:
        """Keep *message*."""
        assignment = message.assignment
        if assignment is None:
            return
        with self._lock:
            if assignment.is_closing:  # set before `discard`, so nothing slips in behind that
                return
            if self._parking.holds(assignment):
                self._parking.queue(assignment, [message])
            else:
                self._parking.park(assignment, message, MONOTONIC.now() + self._delay)
        self._wake()

    def take_due(self, max_messages: int) -> list[Message]:
        """Return up to *max_messages* whose time has come, ready for another delivery, in the order of their offsets."""
        if not self._parking and not self._ready:
            return []
        with self._lock:
            self._ready.extend(sorted(self._parking.take_due(MONOTONIC.now()), key=_place))
            due = [self._ready.popleft() for _ in range(min(max_messages, len(self._ready)))]
        for message in due:
            message.delivery.restart()
        return due

    def limit(self, timeout: float) -> float:
        """Return the seconds that a receiver may wait, at most *timeout*, before one is due."""
        with self._lock:
            next_due = self._parking.next_due()
        return timeout if next_due is None else min(timeout, max(0.0, next_due - MONOTONIC.now()))

    def discard(self, assignments: Iterable[Assignment]) -> None:
        """Forget what belongs to *assignments*."""
        gone = list(assignments)
        with self._lock:
            self._parking.discard(gone)
            self._ready = deque(message for message in self._ready if message.assignment not in gone)


def _place(message: Message) -> tuple[int, int]:
    return message.partition, message.offset
