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

    Example:
        >>> handler = CorrelationID()(lambda message: [Message(b"answer")])
        >>> [answer] = handler(Message(b"question", metadata={"correlation_id": "42"}))
        >>> answer.metadata
        {'correlation_id': '42'}
    """

    passes_success = True
    """Tells the router that a message whose handler succeeds need not come by here; see `Middleware`."""

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*."""

        def correlating(message: Message) -> Sequence[Message] | None:
            produced = next_handler(message)
            if produced is None or (produced.__class__ is list and not produced):
                return None
            if produced.__class__ is not list:
                if isinstance(produced, Iterator):
                    produced = list(produced)
                elif not isinstance(produced, list | tuple):
                    return produced  # no messages, which is the router's to say
            correlation_id = correlation_id_of(message)
            try:
                for each in produced:
                    set_correlation_id(each, correlation_id)
            except AttributeError:
                pass  # no message in it: the router's to say as well
            return produced

        return correlating
