"""Handling no more than so many messages a second."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from millstream.router import MONOTONIC, ConfigurationError, Context, HandlerFunc, Message
from millstream.router.callables import described, is_number

from .options import require_between

ROUNDING = 1e-6
"""Of a turn: what a sum of floats may lack of a whole one."""


class TokenBucket:
    """Deals out turns at a rate, some of them at once after idle time. A plain object without a lock or a clock.

    Keeps one number instead of tokens: the moment at which the bucket is full again.

    Args:
        rate: turns per second.
        burst: turns that idle time can save up.
    """

    __slots__ = ("_full_at", "_interval", "_saved")

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1 / rate
        self._saved = (burst - 1) * self._interval
        self._full_at = float("-inf")

    def reserve(self, now: float) -> float:
        """Take the next turn and return the seconds until it comes, 0 or less when it may begin now."""
        delay = self._full_at - self._saved - now
        self._full_at = max(self._full_at, now) + self._interval
        return delay

    def reserve_some(self, most: int, now: float) -> tuple[float, int]:
        """Take the next turn, and where that may begin now those after it that may, too: *most* in all.

        Returns:
            The seconds until the first comes, 0 or less for now; and how many were taken.
        """
        begin = max(self._full_at, now)
        delay = (begin - now) - self._saved
        count = 1 + min(most - 1, int(max(0.0, -delay) / self._interval + ROUNDING))
        self._full_at = begin + count * self._interval
        return delay, count

    def give_back(self, count: int) -> None:
        """Take *count* turns back that nobody has used."""
        self._full_at -= count * self._interval


class Throttle:
    """Let at most *rate* messages per second through, for all handlers together that use the same instance.

    A message that comes too soon waits on its handler's thread; turns are given in the order of arrival. The wait ends at once,
    with `Cancelled`, when the router closes or the partition is revoked; the turn then lapses. Inside `Retry` every attempt
    takes a turn, outside of it each delivery takes one. It need not see each message: a handler that takes runs is told how
    many of one may go.

    Args:
        rate: messages per second, above 0.
        burst: messages that may follow each other at once after idle time. Waits last about 0.05 ms too long (measured), so a
            rate above 10,000 is reached only with a burst of at least a thousandth of it.

    Raises:
        ConfigurationError: an option is no number, or out of its range.

    Example:
        >>> handler = Throttle(rate=1000, burst=2)(lambda message: print(message.payload))
        >>> handler(Message(b"one of at most 1,000 a second"))
        b'one of at most 1,000 a second'
    """

    def __init__(self, rate: float, burst: int = 1) -> None:
        if not is_number(rate) or not 0 < rate < math.inf:
            raise ConfigurationError(f"rate must be a number of messages per second above 0, not {described(rate)}")
        require_between("burst", burst, 1)
        self._bucket = TokenBucket(rate, burst)
        self._lock = threading.Lock()

    def admit(self, context: Context, count: int) -> int:
        """Wait for the turn of the next message, and return how many of the next *count* may go; see `Admits`."""
        with self._lock:
            delay, admitted = self._bucket.reserve_some(count, context.clock.now())
        if delay > 0:
            context.wait(delay)
        return admitted

    def give_back(self, count: int) -> None:
        """Let *count* of those that were admitted take their turns again; see `Admits`."""
        with self._lock:
            self._bucket.give_back(count)

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*."""
        reserve = self._bucket.reserve
        lock = self._lock

        def throttling(message: Message) -> Sequence[Message] | None:
            # Not by way of the message's context, which would be made for every message only to read the clock.
            assignment = message.assignment
            clock = MONOTONIC if assignment is None else assignment.scope.clock
            with lock:
                delay = reserve(clock.now())
            if delay > 0:
                message.context.wait(delay)
            return next_handler(message)

        return throttling
