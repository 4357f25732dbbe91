"""One stay of one partition with one consumer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from .context import BACKGROUND, Scope
from .message import Destination, Message


class Routing(Destination, Protocol):
    """The handler that the messages of an assignment go to; `Route` is what the router sets."""

    @property
    def is_sink_blocked(self) -> bool:
        """Whether nothing new should come, as poison records cannot be written."""
        ...

    def has_worker(self, owner: object) -> bool:
        """Whether *owner* is one of the router's workers."""
        ...

    def ask_for_flush(self, assignments: Sequence[Assignment]) -> None:
        """Let the workers flush what they hold of *assignments*."""
        ...


class Assignment:
    """A partition for as long as it is ours; when it comes back later, it is another assignment.

    Compared by identity, so that what belongs to an earlier stay can never be taken for the present one. Subscriptions make
    assignments; the router writes `route` and `scope` when it learns of one, everybody else reads.

    Args:
        topic: the topic that was subscribed to.
        partition: its number.
        epoch: counts the assignments of one subscription, for people reading a log.
        wake: called by whoever settled messages from another thread; must be cheap and thread-safe.
        redeliver: called when a message is nacked outside a router; delivers it again.

    Example:
        >>> assignment = Assignment("events", 0, epoch=1)
        >>> message = Message(b"payload", assignment=assignment)
        >>> assignment.close()
        >>> assignment, message.is_void
        (<Assignment events[0] epoch 1 closed>, True)
    """

    __slots__ = (
        "_redeliver",
        "epoch",
        "is_closed",
        "is_closing",
        "is_stopped",
        "partition",
        "route",
        "scope",
        "topic",
        "wake",
    )

    def __init__(
        self,
        topic: str,
        partition: int,
        epoch: int = 0,
        *,
        wake: Callable[[], None] | None = None,
        redeliver: Callable[[Message], None] | None = None,
    ) -> None:
        self.topic = topic
        self.partition = partition
        self.epoch = epoch
        self.is_closing = False
        """No chain starts on it any more; what has started may still settle."""
        self.is_closed = False
        """Nothing that happens from now on commits."""
        self.is_stopped = False
        """Nothing new should be fetched, as what its handler has cannot go on now. Whoever sets it clears it."""
        self.route: Routing | None = None
        self.scope: Scope = BACKGROUND
        self.wake: Callable[[], None] = wake or _nobody
        """Tells the subscription that some of its messages were settled; once per flush, not per message. A field, not a method:
        a hold that is released by itself comes by here."""
        self._redeliver = redeliver

    def redeliver(self, message: Message) -> None:
        """Ask the subscription to deliver a nacked *message* again."""
        if self._redeliver is not None:
            self._redeliver(message)

    def close(self) -> None:
        """End the assignment: from now on its holds are void and a late settlement changes nothing."""
        self.is_closing = self.is_closed = True

    def __repr__(self) -> str:
        state = " closed" if self.is_closed else " closing" if self.is_closing else ""
        return f"<Assignment {self.topic}[{self.partition}] epoch {self.epoch}{state}>"


def _nobody() -> None:
    """Stand for a subscription that need not be told."""
