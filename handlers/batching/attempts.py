"""The attempts on one batch that failed, and what follows from them."""

from __future__ import annotations

from loguru import logger

from millstream.middleware import Backoff
from millstream.router.errors import reason_of

from .config import BatchConfig
from .decision import Decision, decide

JITTER = 0.2
"""Part by which a wait between attempts is shortened or lengthened at random, so that several processes do not knock at once."""


class Attempts:
    """The attempts on one batch that failed, and what one decision has to know of those before it."""

    def __init__(self, config: BatchConfig) -> None:
        self.failed = 0
        self._config = config
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
            text = "no batch can be processed until somebody mends this; nothing is lost: {error}"
            logger.error(text, error=reason_of(error))
        return decision
