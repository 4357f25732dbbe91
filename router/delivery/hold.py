"""The receipt for a hold on a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .message import Message


class Hold:
    """ "Do not commit this message yet": what `Message.hold` returns.

    Only names the hold (message, owner, part); its state lies in the message. So two receipts for one hold are equal, and no
    cycle ties a message to its holds.
    """

    __slots__ = ("message", "owner", "part")

    def __init__(self, message: Message, owner: object, part: int = 0) -> None:
        self.message = message
        self.owner = owner
        self.part = part

    def release(self) -> None:
        """Say that this owner is done with the message. Thread-safe, idempotent; after `fail` it changes nothing."""
        self.message.release(self.owner, self.part)
        if self.message.assignment is not None:
            self.message.assignment.wake()

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
        return self.message is other.message and self.owner is other.owner and self.part == other.part

    def __hash__(self) -> int:
        return hash((id(self.message), id(self.owner), self.part))

    def __repr__(self) -> str:
        return f"<Hold of {type(self.owner).__name__} on {self.message!r}, part {self.part}>"
