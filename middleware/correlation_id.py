"""Following one request through every message that comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from millstream.router import HandlerFunc, Message

CORRELATION_ID = "correlation_id"
"""The metadata key, Watermill's: its services read and write the same one."""


def correlation_id_of(message: Message) -> str:
    """Return the correlation id of *message*, `""` when it has none."""
    return message.metadata.get(CORRELATION_ID, "")


def set_correlation_id(message: Message, correlation_id: str) -> None:
    """Give *message* a correlation id, at the place where a request enters; one that it has already is kept."""
    if correlation_id and not correlation_id_of(message):
        message.metadata[CORRELATION_ID] = correlation_id


class CorrelationID:
    """Give the messages that a handler returns the correlation id of the message that it handled.

    A produced message that has one keeps it. No id is made up: a message without one passes none on.
    """

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*."""

        def correlating(message: Message) -> Sequence[Message] | None:
            produced = next_handler(message)
            return None if produced is None else _correlated(produced, correlation_id_of(message))

        return correlating


def _correlated(produced: Sequence[Message], correlation_id: str) -> Sequence[Message]:
    """Return *produced*; what a middleware has made of it may be no messages, which is the router's to say, not an error here."""
    if not isinstance(produced, list | tuple):
        if not isinstance(produced, Iterator):
            return produced
        produced = list(produced)
    for each in produced:
        if isinstance(each, Message):
            set_correlation_id(each, correlation_id)
    return produced
