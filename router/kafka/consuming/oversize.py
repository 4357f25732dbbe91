"""Messages that are larger than anybody wants to decode: they go to the poison sink as they came."""

from __future__ import annotations

from collections.abc import Iterable

from ...delivery.message import Message
from ...delivery.run import Entry, MessageRun, messages_of
from ...errors import MessageTooLarge

OWNER = "size limit"
"""Holds such a message until its record is safe."""


def set_aside(entries: Iterable[Entry], limit: int) -> list[Entry]:
    """Fail those messages of *entries* whose payload is larger than *limit* bytes, and return the others.

    No chain sees them. Their handler's poison sink settles them; without one the router halts. Outside a router there is
    nobody to give them to: they are delivered.
    """
    kept: list[Entry] = []
    for entry in entries:
        if isinstance(entry, MessageRun) and max(map(len, entry.payloads)) <= limit:
            kept.append(entry)
        else:
            kept += _small(messages_of(entry), limit)
    return kept


def _small(messages: Iterable[Message], limit: int) -> list[Message]:
    kept = []
    for message in messages:
        assignment = message.assignment
        if len(message.payload) <= limit or assignment is None or assignment.route is None or assignment.is_closed:
            kept.append(message)
        else:
            _fail(message, MessageTooLarge(len(message.payload), limit))
    return kept


def _fail(message: Message, error: MessageTooLarge) -> None:
    message.delivery.begin()
    held = message.hold(OWNER)
    message.delivery.finish()
    held.fail(error)
