"""When so much cannot be handled that no message is to blame: the handler halts, rather than emptying its topic into its sink.

A plain object under the lock of its sink: fed with outcomes, it neither waits nor writes. Messages come to a sink in two ways,
and each is counted by itself, as the chain runs far ahead of the batches:

- what the chain refuses, or a hold of the user's fails, among the messages that the chain has begun with; of a bulk message the
  events are counted;
- what a batcher fails, among those that it has done, in their order: it tells how many those are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import msgspec

from ..errors import ConfigurationError, HaltedError, TransientError, text_of_error

MAX_REASON_CHARACTERS = 200
"""Of the last reason: the whole is to fit into one line of a terminal or a log."""


def line_of(error: BaseException) -> str:
    """Return the reason of *error* as a line of at most 200 characters."""
    return " ".join(text_of_error(error).split())[:MAX_REASON_CHARACTERS]


class StormLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much a handler may set aside before it halts: the `[poison]` section, and `RouterConfig.poison_limits`.

    Each handler counts its own, anew at each start; records that are not confirmed yet count.

    Args:
        enabled: whether it halts at all.
        max_in_a_row: messages set aside without a good one between them at which it halts.
        max_share: part of the last *window* messages, 0 to 1; it halts at more. Judged only once there were as many.
        window: messages.

    Raises:
        ConfigurationError: a value is out of its range.

    Example:
        >>> config = RouterConfig(poison_limits=StormLimits(max_in_a_row=100, max_share=0.5))
        >>> config.poison_limits.window
        5000
    """

    enabled: bool = True
    max_in_a_row: int = 1000
    max_share: float = 0.1
    window: int = 5000

    def __post_init__(self) -> None:
        for name in ("max_in_a_row", "window"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"poison.{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.max_share <= 1:
            raise ConfigurationError(f"poison.max_share must be from 0 to 1, not {self.max_share}")


class Tally:
    """Outcomes in their order, and whether they have become a storm."""

    def __init__(self, limits: StormLimits) -> None:
        self.good = 0
        self.bad = 0
        self._limits = limits
        self._in_a_row = 0
        self._recent: deque[int] = deque()
        """The places of the bad ones among the last `window` outcomes."""

    def add_good(self, count: int) -> None:
        """Count *count* good ones; 0 or less is none."""
        if count > 0:
            self.good += count
            self._in_a_row = 0

    def add_bad(self) -> str | None:
        """Count a bad one; returns how many there were of how many, and which limit that is over, when it has become a storm."""
        limits, recent = self._limits, self._recent
        self.bad += 1
        self._in_a_row += 1
        place = self.good + self.bad
        recent.append(place)
        while recent[0] <= place - limits.window:
            recent.popleft()
        if self._in_a_row >= limits.max_in_a_row:
            return f"{self._in_a_row} messages in a row cannot be handled (poison.max_in_a_row)"
        if place >= limits.window and len(recent) > limits.max_share * limits.window:
            return f"{len(recent)} of the last {limits.window} messages cannot be handled (poison.max_share)"
        return None


class StormGuard:
    """Says of each message that comes to one sink whether it may still be written.

    Args:
        handler: its name.
        limits: when it halts.
        begun: how many messages its chain has begun with, but for those that other threads than the caller's have in hand.
    """

    def __init__(self, handler: str, limits: StormLimits, begun: Callable[[], int]) -> None:
        self.halted: HaltedError | None = None
        """Why nothing more is written."""
        self._handler = handler
        self._limits = limits
        self._begun = begun
        self._chain = Tally(limits)
        self._more = 0
        self._tellers: dict[int, Tally] = {}
        """Of those who tell what they have done, by the identity of who it is: they live as long as the router."""

    def count_begun(self, more: int) -> None:
        """The message that the chain has begun with brings *more* things than one, each counted like a message."""
        self._more += more

    def count_done(self, owner: object, count: int) -> None:
        """*owner* has done its part of *count* messages. From its first word on it is judged by these."""
        tally = self._tellers.get(id(owner))
        if tally is None:
            tally = self._tellers[id(owner)] = Tally(self._limits)
        tally.add_good(count)

    def refuse(self, error: BaseException, owner: object = None) -> HaltedError | None:
        """Count a message; returns why it must not be written, once there is a storm.

        Args:
            error: what is wrong with it.
            owner: who failed its hold; `None`: its chain.
        """
        if owner is not None and isinstance(error, TransientError | OSError):
            # Set aside by choice, once the retries of its batch were over: it says nothing about the messages.
            return None
        if self.halted is None and self._limits.enabled:
            storm = self._tally_of(owner).add_bad()
            if storm is not None:
                self.halted = HaltedError(self._text(storm, error))
        return self.halted

    def _tally_of(self, owner: object) -> Tally:
        tally = self._tellers.get(id(owner))
        if tally is None:
            tally = self._chain
            # All that were begun with but the bad ones, this one included, and those that are counted.
            tally.add_good(self._begun() + self._more - tally.bad - 1 - tally.good)
        return tally

    def _text(self, storm: str, error: BaseException) -> str:
        return (
            f"handler {self._handler!r} halts: {storm}; what is set aside is safe (millstream dlq list), the rest stays"
            f" uncommitted: mend the cause, or raise the limit, and start again. The last: {line_of(error)}"
        )
