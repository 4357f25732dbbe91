"""How long to wait before each retry, and whether to try at all.

Plain objects: they are fed with times and outcomes, and neither sleep nor read a clock.

Every delay is computed once. Watermill's hook and predicate each draw a delay of their own to show, so that real waits skip
steps of the sequence and the delay shown is not the one slept.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random as uniform

from .options import require_between, require_function


class Backoff:
    """A sequence of delays that grows exponentially, each one varied at random. For one thread.

    Args:
        initial_interval: seconds before the first retry.
        max_interval: seconds that a delay grows to at most, before it is varied.
        multiplier: what one delay is longer than the one before.
        jitter: how far a delay is varied, as a part of it: with 0.5 it is drawn evenly from 50% to 150% of itself.
        random: returns a number from 0 to 1; drawn once per delay.

    Example:
        >>> backoff = Backoff(initial_interval=1.0, max_interval=3.0, jitter=0.0)
        >>> [backoff.next_delay() for _ in range(4)]
        [1.0, 2.0, 3.0, 3.0]
    """

    __slots__ = ("_current", "_initial", "_jitter", "_max", "_multiplier", "_random")

    def __init__(
        self,
        *,
        initial_interval: float = 1.0,
        max_interval: float = 10.0,
        multiplier: float = 2.0,
        jitter: float = 0.5,
        random: Callable[[], float] = uniform,
    ) -> None:
        require_between("initial_interval", initial_interval, 0)
        require_between("max_interval", max_interval, 0)
        require_between("multiplier", multiplier, 1)
        require_between("jitter", jitter, 0, 1)
        if random is not uniform:  # one is made for each batch, and for each message that fails
            require_function("random", random, "()")
        self._initial = min(initial_interval, max_interval)
        self._max = max_interval
        self._multiplier = multiplier
        self._jitter = jitter
        self._random = random
        self._current = self._initial

    def next_delay(self) -> float:
        """Return the seconds to wait now; the next call returns those of the next step."""
        delay = self._current
        self._current = min(delay * self._multiplier, self._max)
        return delay * (1 - self._jitter + 2 * self._jitter * self._random())

    def reset(self) -> None:
        """Begin again with the first delay: something went well in between."""
        self._current = self._initial


class RetrySchedule:
    """The retries of one piece of work: counts its attempts and says when the next one is due, if there is one.

    Args:
        backoff: the delays; used by this schedule only.
        max_retries: attempts after the first, so 3 is four attempts in all; 0 is none, `None` any number.
        give_up_at: the moment after which no attempt begins, on the clock of `next_delay`'s *now*; `None`: never.

    Example:
        >>> schedule = RetrySchedule(Backoff(jitter=0.0), max_retries=1)
        >>> schedule.count_failure()
        >>> schedule.next_delay(now=0.0)
        1.0
        >>> schedule.count_failure()
        >>> schedule.next_delay(now=1.0) is None
        True
    """

    __slots__ = ("_backoff", "_give_up_at", "_max_retries", "attempts")

    def __init__(self, backoff: Backoff, *, max_retries: int | None, give_up_at: float | None = None) -> None:
        self.attempts = 0
        """Attempts that have failed."""
        self._backoff = backoff
        self._max_retries = max_retries
        self._give_up_at = give_up_at

    def count_failure(self) -> None:
        """Note that an attempt has failed."""
        self.attempts += 1

    def next_delay(self, now: float) -> float | None:
        """Return the seconds to wait before the next attempt, or `None` when there should be none."""
        if self._max_retries is not None and self.attempts > self._max_retries:
            return None
        delay = self._backoff.next_delay()
        if self._give_up_at is not None and now + delay > self._give_up_at:
            return None
        return delay
