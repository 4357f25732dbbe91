"""Acking before the handler runs."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.router import HandlerFunc, Message


class InstantAck:
    """Ack the message before its handler sees it, so that the handler's own `nack()` comes too late.

    Loses nothing, unlike Watermill's, where the broker may forget the message from here on and a later error is dropped. Here an
    ack is a promise to the router only: the chain keeps its own hold on the message until it has returned, so nothing is
    committed early, the message's context goes on, and an error is retried, poisoned or delivered again like any other.

    Example:
        >>> handler = InstantAck()(lambda message: print(message.is_acked))
        >>> handler(Message(b"payload"))
        True
    """

    passes_success = True
    """Tells the router that a message whose handler succeeds need not come by here; see `Middleware`."""

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*."""

        def acking(message: Message) -> Sequence[Message] | None:
            message.ack()
            return next_handler(message)

        return acking
