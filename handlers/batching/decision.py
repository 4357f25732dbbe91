"""What becomes of a batch after an attempt that failed. A pure choice: fed with values and a time, it neither waits nor logs."""

import enum

import msgspec

from millstream.middleware import Backoff
from millstream.router import ConfigurationError, HaltedError, PermanentError, TransientError

from .config import BatchConfig

SLOWEST_SECONDS = 30.0
"""Between two attempts on what somebody has to mend: each may do harm, as one whose view fails feeds the other views again."""


class Verdict(enum.Enum):
    """What to do with the batch."""

    RETRY = enum.auto()
    """Try it again after a while; more is taken in meanwhile."""
    WAIT = enum.auto()
    """Try it again after a while, and take nothing in until it is done: its retries are used up."""
    POISON = enum.auto()
    """Send every message of it to the poison sink."""
    HALT = enum.auto()
    """Stop the router; nothing of it is settled."""


class Decision(msgspec.Struct, frozen=True):
    """A verdict and what goes with it.

    Args:
        verdict: what to do.
        after: seconds until the next attempt, for `RETRY` and `WAIT`.
        wrong_since: since when nothing but what somebody has to mend came back; for the next decision.
    """

    verdict: Verdict
    after: float = 0.0
    wrong_since: float | None = None


def decide(
    error: Exception, attempt: int, config: BatchConfig, *, backoff: Backoff, wrong_since: float | None, now: float
) -> Decision:
    """Say what an error means for its batch.

        error                      retries left          past `max_retries`
        HaltedError                HALT                  HALT
        PermanentError             POISON                POISON
        TransientError, OSError    RETRY with backoff    WAIT                  or POISON, as `on_exhausted` says
        ConfigurationError         RETRY, ever slower    WAIT, ever slower     or HALT, after `halt_after`
        anything else              RETRY with backoff    WAIT                  or POISON, or HALT, as above

    What can never be processed is the data's fault, a wrong configuration nobody's data. Anything else is a bug:
    it may pass, and where it does not it is somebody's to mend like a wrong configuration.

    Args:
        error: what the attempt raised.
        attempt: how many have failed, this one included.
        config: how often, how long and what then.
        backoff: says the growing waits; drawn from only where one is due.
        wrong_since: what the decision before this one said; `None` for the first.
        now: the time, in seconds.
    """
    if isinstance(error, HaltedError):
        return Decision(Verdict.HALT)
    if isinstance(error, PermanentError):
        return Decision(Verdict.POISON)
    is_exhausted = attempt > config.max_retries
    is_misconfigured = isinstance(error, ConfigurationError)
    if is_exhausted and config.on_exhausted == "poison" and not is_misconfigured:
        return Decision(Verdict.POISON)
    again = Verdict.WAIT if is_exhausted else Verdict.RETRY
    if is_misconfigured or (is_exhausted and not isinstance(error, TransientError | OSError)):
        since = now if wrong_since is None else wrong_since
        if now - since >= config.halt_after:
            return Decision(Verdict.HALT, wrong_since=since)
        slowly = min(now - since, SLOWEST_SECONDS, since + config.halt_after - now)
        return Decision(again, max(config.wait_interval, slowly), since)
    return Decision(again, config.wait_interval if is_exhausted else backoff.next_delay())
