"""Poison records that are written together, and which of them are left."""

from __future__ import annotations

from ..delivery.message import Message
from .choices import NotWritten
from .record import CUT, cut, poison_record


class Block:
    """Messages that are written together, with their records."""

    def __init__(self, messages: list[Message]) -> None:
        self.messages = messages
        self.records = [poison_record(message, message.failures[0]) for message in messages]
        self.was_cut = False
        """Whether every record that is left was cut since it was written last, so that trying again at once makes sense."""

    def drop_what_is_lost(self) -> bool:
        """Drop what somebody else handles by now; returns whether anything is left."""
        kept = [place for place, message in enumerate(self.messages) if not is_lost(message)]
        if len(kept) < len(self.messages):
            self.messages = [self.messages[place] for place in kept]
            self.records = [self.records[place] for place in kept]
        return bool(kept)

    def keep(self, error: NotWritten) -> list[Message]:
        """Keep what *error* says is not safe, with what was refused cut to a size that any topic takes; returns the rest."""
        safe = [message for place, message in enumerate(self.messages) if place not in error.places]
        rest = sorted(error.places)
        too_large = {place for place in error.refused if CUT not in self.records[place].metadata}
        self.messages = [self.messages[place] for place in rest]
        self.records = [cut(self.records[place]) if place in too_large else self.records[place] for place in rest]
        self.was_cut = too_large == error.places
        return safe


def is_lost(message: Message) -> bool:
    """Whether somebody else handles *message* by now."""
    return message.assignment is not None and message.assignment.is_closed


def forget_tracebacks(message: Message) -> None:
    """Let go of the frames behind the failures of *message*."""
    for failure in message.failures:
        failure.forget_traceback()
