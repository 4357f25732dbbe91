"""Messages that were nacked outside a router, until they are due again."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from ..assignment import Assignment
from ..clock import MONOTONIC
from ..message import Message
from ..parking import Parking


class Nacked:
    """Keeps nacked messages for *delay* seconds. Thread-safe: anybody may nack.

    Messages that follow a nacked one may have been received already: without a router, nobody keeps them back.
    """

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._lock = threading.Lock()
        self._parking = Parking()

    def add(self, message: Message) -> None:
        """Keep *message*."""
        assignment = message.assignment
        if assignment is None or assignment.is_closed:
            return
        with self._lock:
            if self._parking.holds(assignment):
                self._parking.queue(assignment, [message])
            else:
                self._parking.park(assignment, message, MONOTONIC.now() + self._delay)

    def take_due(self) -> list[Message]:
        """Return the messages whose time has come, ready for another delivery, in the order of their offsets."""
        if not self._parking:
            return []
        with self._lock:
            due = [message for _, messages in self._parking.take_due(MONOTONIC.now()) for message in messages]
        due.sort(key=_place)
        for message in due:
            message.restart()
        return due

    def limit(self, timeout: float) -> float:
        """Return the seconds that a receiver may wait, at most *timeout*, before one is due."""
        with self._lock:
            next_due = self._parking.next_due()
        return timeout if next_due is None else min(timeout, max(0.0, next_due - MONOTONIC.now()))

    def discard(self, assignments: Iterable[Assignment]) -> None:
        """Forget what belongs to *assignments*."""
        with self._lock:
            self._parking.discard(assignments)


def _place(message: Message) -> tuple[int, int]:
    return message.partition, message.offset
