"""Time as a value that is passed in: monotonic seconds, and waiting until a moment.

Deadlines are absolute. A relative time-out, computed before the clock moves and used after, waits too long.
"""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What tells the time to everything that waits; tests pass `millstream.router.testing.ManualClock`."""

    def now(self) -> float:
        """Return monotonic seconds; only differences mean anything."""
        ...

    def wait_until(self, condition: threading.Condition, deadline: float | None) -> None:
        """Wait on *condition*, which the caller holds, until it is notified or *deadline* is reached.

        May return early: the caller checks what it waits for. `None` waits for a notification only.
        """
        ...


class MonotonicClock:
    """The real clock.

    Example:
        >>> clock = MonotonicClock()
        >>> began = clock.now()
        >>> clock.now() >= began
        True
    """

    def now(self) -> float:
        """Return `time.monotonic()`."""
        return time.monotonic()

    def wait_until(self, condition: threading.Condition, deadline: float | None) -> None:
        """Wait until notified or until the monotonic clock reaches *deadline*."""
        if deadline is None:
            condition.wait()
        elif (left := deadline - time.monotonic()) > 0:
            condition.wait(left)


MONOTONIC = MonotonicClock()
