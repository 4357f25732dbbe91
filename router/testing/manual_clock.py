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
        """Block until *count* threads wait for a moment to come; returns False after *timeout* real seconds."""
        with self._lock:
            return self._lock.wait_for(lambda: len(self._ahead()) >= count, timeout)

    def advance_to_next_deadline(self, timeout: float = 10.0) -> float:
        """Block until somebody waits for a moment to come, and advance to the earliest; returns the seconds that passed.

        Raises:
            TimeoutError: nobody did within *timeout* real seconds.
        """
        with self._lock:
            if not self._lock.wait_for(self._ahead, timeout):
                raise TimeoutError(f"nobody waited on the clock within {timeout:g} s")
            seconds = min(self._ahead()) - self._now
        self.advance(seconds)
        return seconds

    def _ahead(self) -> list[float]:
        # A thread that was woken stays in the list until it runs again; its moment has come.
        return [deadline for _, deadline in self._waiting if deadline is not None and deadline > self._now]
