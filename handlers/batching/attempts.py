"""The attempts on one batch that failed, and what follows from them."""

from __future__ import annotations

import threading

from loguru import logger

from millstream.middleware import Backoff
from millstream.router.errors import reason_of

from .config import BatchConfig
from .decision import Decision, decide

JITTER = 0.2
"""Part by which a wait between attempts is shortened or lengthened at random, so that several processes do not knock at once."""


class Mending:
    """What somebody has to mend: said once, however many batches wait for it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting = 0

    def begin(self, error: Exception) -> None:
        """One more batch waits, as it met *error*."""
        with self._lock:
            self._waiting += 1
            is_first = self._waiting == 1
        if is_first:
            text = "no batch can be processed until somebody mends this; nothing is lost: {error}"
            logger.error(text, error=reason_of(error))

    def end(self) -> None:
        """One of them waits no more."""
        with self._lock:
            self._waiting -= 1


class Attempts:
    """The attempts on one batch that failed, and what one decision has to know of those before it.

    Args:
        config: how often, how long and what then.
        mending: told while the batch waits for somebody.
    """

    def __init__(self, config: BatchConfig, mending: Mending) -> None:
        self.failed = 0
        self._config = config
        self._mending = mending
        self._wrong_since: float | None = None
        self._backoff = Backoff(
            initial_interval=config.retry_interval,
            max_interval=config.max_retry_interval,
            multiplier=2.0,
            jitter=JITTER,
        )

    def judge(self, error: Exception, now: float) -> Decision:
        """Count an attempt that failed with *error*, and say what follows."""
        self.failed += 1
        before = self._wrong_since
        decision = decide(error, self.failed, self._config, backoff=self._backoff, wrong_since=before, now=now)
        self._wrong_since = decision.wrong_since
        if before is None and decision.wrong_since is not None:
            self._mending.begin(error)
        elif before is not None and decision.wrong_since is None:
            self._mending.end()
        return decision

    def end(self) -> None:
        """There is no further attempt."""
        if self._wrong_since is not None:
            self._wrong_since = None
            self._mending.end()
