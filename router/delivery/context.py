"""What travels with a message beside its content: values, a deadline, and the news that work was called off.

A `Scope` is shared by everything that one router (or one subscription without a router) has in hand. It ends in two steps:
*closing* ends every wait, so that a retry sleep or a delay does not hold up a shutdown; *cancelled* comes last, when
handlers have finished. A `Context` belongs to one message and ends when that message is settled, not when it is acked.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from ..clock import MONOTONIC, Clock
from ..errors import Cancelled, TransientError


class DeadlineExceeded(TransientError):
    """The deadline of a context passed while it was being waited on."""


class Scope:
    """The condition that waits of many contexts share; notified when any of them may have to end.

    Example:
        >>> scope = Scope()
        >>> scope.close()
        >>> scope.wait(60)
        Traceback (most recent call last):
        millstream.router.errors.Cancelled...
    """

    def __init__(self, clock: Clock = MONOTONIC) -> None:
        self.clock = clock
        self.is_closing = False
        self.is_cancelled = False
        self._condition = threading.Condition()

    def close(self) -> None:
        """End all waits, now and later, with `Cancelled`; work that is running goes on."""
        self.is_closing = True
        self.notify()

    def cancel(self) -> None:
        """Call everything off."""
        self.is_cancelled = True
        self.close()

    def notify(self) -> None:
        """Make every waiting context look again at whether it was called off."""
        with self._condition:
            self._condition.notify_all()

    def wait(self, seconds: float, stay: Stay | None = None) -> None:
        """Wait for *seconds*; raises `Cancelled` as soon as the scope, or *stay*, is closing."""
        deadline = self.clock.now() + seconds
        with self._condition:
            while True:
                if self.is_closing or (stay is not None and stay.is_closing):
                    raise Cancelled
                if self.clock.now() >= deadline:
                    return
                self.clock.wait_until(self._condition, deadline)


BACKGROUND = Scope()
"""The scope of messages that nobody's router has in hand. It never ends."""


class Standing(Protocol):
    """The handler that a message goes to, as far as its chain may want to know."""

    @property
    def handler(self) -> str:
        """Its name."""
        ...

    @property
    def topic(self) -> str:
        """What it is subscribed to."""
        ...

    @property
    def publish_topic(self) -> str | None:
        """Where what it returns is published; `None` where it only consumes."""
        ...


class Stay(Protocol):
    """An assignment, as far as its end concerns the work on its messages."""

    is_stopped: bool
    """Whether nothing new should be fetched, as what its handler has cannot go on now."""

    @property
    def route(self) -> Standing | None:
        """Where its messages go; `None` outside a router."""
        ...

    @property
    def scope(self) -> Scope:
        """Whose work it is."""
        ...

    @property
    def is_closing(self) -> bool:
        """Whether no chain starts on it any more."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether nothing that happens from now on commits."""
        ...


class Context:
    """Values, deadline and cancellation of one message. Made on first use: most messages never need one.

    Example:
        >>> context = Message(b"payload").context
        >>> context.values["tenant"] = "acme"
        >>> context.deadline = context.clock.now()
        >>> context.is_cancelled
        True
    """

    __slots__ = ("_ended", "_scope", "_stay", "deadline", "values")

    def __init__(self, stay: Stay | None = None) -> None:
        self.values: dict[str, Any] = {}
        self.deadline: float | None = None
        """The monotonic second after which nobody waits for the result, or `None`. `Timeout` sets and restores it."""
        self._stay = stay
        self._scope = BACKGROUND if stay is None else stay.scope
        self._ended = False

    @property
    def handler_name(self) -> str:
        """The name of the handler whose chain has the message: what a middleware of the router stands in. Empty without one."""
        standing = self._standing
        return "" if standing is None else standing.handler

    @property
    def subscribe_topic(self) -> str:
        """The topic that this handler is subscribed to; empty without one."""
        standing = self._standing
        return "" if standing is None else standing.topic

    @property
    def publish_topic(self) -> str:
        """The topic to which goes what this handler returns; empty without one, and for a handler that only consumes."""
        standing = self._standing
        return "" if standing is None else standing.publish_topic or ""

    @property
    def _standing(self) -> Standing | None:
        # Looked up when somebody asks: it hangs at the assignment, and no message pays for it.
        return None if self._stay is None else self._stay.route

    @property
    def clock(self) -> Clock:
        """The clock that `deadline` and `wait` go by: the router's, so that one which measures by it can be tested exactly."""
        return self._scope.clock

    @property
    def is_cancelled(self) -> bool:
        """Whether the work was called off: settled, revoked, shut down or past the deadline. Ask it in long loops."""
        if self._ended or self._scope.is_cancelled:
            return True
        if self._stay is not None and self._stay.is_closing:
            return True
        return self.deadline is not None and self._scope.clock.now() >= self.deadline

    @property
    def is_closing(self) -> bool:
        """Whether waits end now, although running work may finish: the router closes or the partition is going."""
        return self.is_cancelled or self._scope.is_closing

    def wait(self, seconds: float) -> None:
        """Sleep for *seconds*, but only as long as there is a point in it.

        Raises:
            Cancelled: the router closes or the partition is being revoked; let it pass.
            DeadlineExceeded: `deadline` came first.
        """
        now = self._scope.clock.now()
        if self.deadline is None or now + seconds <= self.deadline:
            self._scope.wait(seconds, self._stay)
            return
        self._scope.wait(self.deadline - now, self._stay)
        raise DeadlineExceeded(f"the deadline passed while waiting {seconds:g} s")

    def end(self) -> None:
        """Mark the message as settled. Called by its offset book."""
        self._ended = True
