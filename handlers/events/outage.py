"""Saying once that the store is away, and once that it is back."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from loguru import logger

from millstream.handlers.store import StoreMisconfigured, StoreUnavailable, UnknownOutcome
from millstream.router import Clock


class Outage:
    """What is known of the store being away; told by every INSERT of every lane. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why the store is away; empty while it is not."""
        return self._reason

    @property
    def seconds(self) -> float:
        """How long it has been away; 0 while it is not."""
        since = self._since
        return 0.0 if since is None else self._clock.now() - since

    def note_failure(self, error: Exception) -> None:
        """An INSERT failed with *error*; only what says that the store cannot take it counts. One that refuses is there."""
        if isinstance(error, StoreMisconfigured):
            self.note_success()
        if not isinstance(error, StoreUnavailable | UnknownOutcome):
            return
        with self._lock:
            if self._since is not None:
                return
            self._since = self._clock.now()
            self._reason = str(error) or type(error).__name__
        log = logger.bind(since=datetime.now(UTC).isoformat(timespec="seconds"))
        text = "store down: intake stops when the retries are used up, nothing is lost: {reason}"
        log.warning(text, reason=self._reason)

    def note_success(self) -> None:
        """An INSERT was answered: the store is there, whatever it said."""
        if not self._reason:  # the usual case, without the lock
            return
        with self._lock:
            since, self._since, self._reason = self._since, None, ""
        if since is not None:
            logger.bind(seconds=round(self._clock.now() - since, 1)).info("store back")
