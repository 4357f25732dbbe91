"""The receipt for a hold on a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from .settlement import Delivery


class Wakes(Protocol):
    """An assignment, as receipts know it."""

    @property
    def wake(self) -> Callable[[], None]:
        """Tells its subscription that something was settled."""
        ...


class Held(Protocol):
    """A message, as its receipts know it."""

    payload: bytes
    uuid: str
    topic: str
    partition: int
    offset: int
    delivery: Delivery

    @property
    def is_void(self) -> bool:
        """Whether nobody need finish with it."""
        ...

    def fail(self, error: BaseException, owner: object, part: int = 0) -> None:
        """Fail the hold of *owner*."""
        ...

    @property
    def assignment(self) -> Wakes | None:
        """The one that it came by."""
        ...


class Hold(msgspec.Struct, gc=False, eq=False):
    """ "Do not commit this message yet": what `Message.hold` returns.

    Only names the hold (message, owner, part); its state lies in the message's delivery. So two receipts for one hold are equal,
    and no cycle ties a message to its holds.

    Example:
        >>> message = Message(b"payload")
        >>> hold = message.hold("my writer")
        >>> message.ack(), message.is_settled
        (True, False)
        >>> hold.release()
        >>> message.is_settled
        True
    """

    message: Held
    owner: object
    part: int = 0

    def release(self) -> None:
        """Say that this owner is done with the message. Thread-safe, idempotent; after `fail` it changes nothing."""
        message = self.message
        delivery = message.delivery
        if delivery.owner is self.owner and delivery.part == self.part:
            delivery.is_open = False  # `Delivery.release`, written out
        else:
            delivery.release(self.owner, self.part)
        if message.assignment is not None:
            message.assignment.wake()

    def fail(self, error: BaseException) -> None:
        """Say that this owner cannot do its part: the message goes to its handler's poison sink, once all holds are in.

        Thread-safe, idempotent; after `release` it changes nothing. With several failures the first error is recorded.
        """
        self.message.fail(error, self.owner, self.part)

    @property
    def is_void(self) -> bool:
        """Whether the hold means nothing any more: poisoned, or its assignment has closed. Drop what was not sent."""
        return self.message.is_void

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hold):
            return NotImplemented
        is_same = self.message.delivery is other.message.delivery
        return is_same and self.owner is other.owner and self.part == other.part

    def __hash__(self) -> int:
        return hash((id(self.message.delivery), id(self.owner), self.part))

    def __repr__(self) -> str:
        return f"<Hold of {type(self.owner).__name__} on {self.message!r}, part {self.part}>"
