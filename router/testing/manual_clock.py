"""A clock that a test moves."""

from __future__ import annotations

import threading


class ManualClock:
    """Implements `Clock`; time stands still until `advance`. Waits end as soon as their deadline is reached."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now
        self._lock = threading.Condition()
        self._waiting: list[tuple[threading.Condition, float | None]] = []

    def now(self) -> float:
        """Return the seconds that the test has let pass."""
        return self._now

    def wait_until(self, condition: threading.Condition, deadline: float | None) -> None:
        """Wait on *condition* until it is notified or the clock is advanced to *deadline*."""
        entry = (condition, deadline)
        with self._lock:
            if deadline is not None and self._now >= deadline:
                return
            self._waiting.append(entry)
            self._lock.notify_all()
        condition.wait()
        with self._lock:
            self._waiting.remove(entry)

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass and wake everybody whose deadline is reached."""
        with self._lock:
            self._now += seconds
            due = [condition for condition, deadline in self._waiting if deadline is not None and deadline <= self._now]
        for condition in due:
            with condition:
                condition.notify_all()

    def wait_for_waiters(self, count: int = 1, timeout: float = 10.0) -> bool:
        """Block until *count* threads wait for a moment on this clock; returns False after *timeout* real seconds."""
        with self._lock:
            return self._lock.wait_for(lambda: sum(d is not None for _, d in self._waiting) >= count, timeout)
