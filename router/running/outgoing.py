"""What a handler has produced, on its way to the publisher."""

from __future__ import annotations

from collections.abc import Sequence

from ..delivery.message import Message
from ..errors import HaltedError, PermanentError, PublishError
from ..protocols import Publisher
from .returned import messages_in


class Outgoing:
    """Publishes what the chain of one handler returns. What is confirmed is never sent again: the rest stays with the message.

    Args:
        handler: its name.
        topic, publisher: where it publishes; `None` for one that only consumes.
    """

    def __init__(self, handler: str, topic: str | None, publisher: Publisher | None) -> None:
        self._handler = handler
        self._topic = topic
        self._publisher = publisher

    def send(self, message: Message, produced: Sequence[Message]) -> None:
        """Publish *produced*, which *message* has led to.

        Raises:
            PermanentError: some of it will never be taken, such as a message that is too large.
            PublishError, or another error of the publisher: some of it was not confirmed; `Delivery.unsent` says what.
            HaltedError: there is nowhere to publish it, or it is no messages.
        """
        messages = messages_in(f"handler {self._handler!r}, or a middleware around it,", produced)
        if not messages:
            return
        if self._publisher is None or self._topic is None:
            raise HaltedError(
                f"handler {self._handler!r} returned messages but has no publisher: use Router.add_handler, or return None"
            )
        try:
            self._publisher.publish(self._topic, *messages)
        except PublishError as error:
            _keep(message, error, messages)
            raise
        except Exception:
            _keep_all(message, messages)
            raise
        if message.delivery.unsent:
            message.delivery.keep_unsent(())


def _keep(message: Message, error: PublishError, messages: Sequence[Message]) -> None:
    uuids = [each.uuid for each in messages]
    _keep_all(message, [messages[place] for place in sorted(error.places(uuids))])
    if error.refused_places(uuids):
        raise PermanentError(f"what was produced of it cannot be published: {error}") from error


def _keep_all(message: Message, messages: Sequence[Message]) -> None:
    if not message.is_nacked:  # a nack asks for the handler again, whatever it has produced
        message.delivery.keep_unsent(messages)
