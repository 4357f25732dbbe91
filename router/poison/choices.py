"""What a handler does with messages that cannot be handled: the choices that a user has.

A choice is one object per handler, used by the `PoisonQueue` middleware and by `Hold.fail` alike.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, Protocol

from ..delivery.message import Message
from ..errors import MillstreamError, PublishError
from ..protocols import ChecksTopics, Publisher
from .record import PARTITION_KEY


class NotWritten(MillstreamError):
    """Some records of one write are not safe yet; the others are. What a `PoisonWriter` may raise that knows which.

    Args:
        places: those that are not, by their place in the call.
        refused: those of them that will not be taken as they are, such as too large ones: their payload is cut.
    """

    def __init__(self, places: Collection[int], refused: Collection[int], reason: str) -> None:
        self.places = frozenset(places)
        self.refused = frozenset(refused)
        super().__init__(reason)


class PoisonWriter(Protocol):
    """Writes poisoned messages somewhere safe. Called by the sink's own thread only."""

    def write(self, messages: Sequence[Message]) -> None:
        """Write *messages*, whose metadata says why they are here, and return once they are safe; raise to be called again.

        Raise `NotWritten` where some are safe: only the others come again.
        """
        ...

    def close(self) -> None:
        """Release what is held. May be called twice."""
        ...


Poison = PoisonWriter | Literal["none", "drop"]
"""A poison sink, as it is chosen: a writer, `"none"` (halt: nothing is committed past the message) or `"drop"` (count, go on)."""


class PoisonTopic:
    """Publish poisoned messages to *topic*, unchanged but for the metadata that says why.

    Of a message that the topic does not take, as it is too large, go the first 1,000 bytes and its key; the metadata says how
    many it had (`payload_bytes_poisoned`) and where it stands.

    A compacted *topic* takes no message without a key: intake then stops, and an error says why. Of those with one it keeps the
    last of each key only, so it is no good place for them.

    Raises:
        ConfigurationError: *topic* cannot be a topic's name with this publisher.

    Example:
        >>> broker = InMemoryPubSub()
        >>> router = Router()
        >>> router.add_consumer_handler("printer", "orders", broker, print, poison=PoisonTopic(broker, "orders-dlq"))
        <Handler 'printer' on 'orders'>
    """

    def __init__(self, publisher: Publisher, topic: str) -> None:
        if isinstance(publisher, ChecksTopics):
            publisher.check_topic(topic)
        self.publisher = publisher
        self.topic = topic

    def write(self, messages: Sequence[Message]) -> None:
        """Publish and wait for the confirmation."""
        try:
            self.publisher.publish(self.topic, *messages)
        except PublishError as error:
            uuids = [message.uuid for message in messages]
            places, refused = error.places(uuids), error.refused_places(uuids)
            hint = self._hint([messages[place] for place in refused & error.against_rules])
            raise NotWritten(places, refused - error.against_rules, f"{error}{hint}") from error

    def _hint(self, messages: Sequence[Message]) -> str:
        keyless = sum(message.key is None and PARTITION_KEY not in message.metadata for message in messages)
        if not keyless:
            return ""
        return (
            f"; {keyless} of them have no key, and a compacted topic takes none without: give {self.topic!r} the"
            " cleanup.policy delete, or use another topic for poison records"
        )

    def close(self) -> None:
        """Leave the publisher to the router, which closes every publisher it knows once, last."""

    def __repr__(self) -> str:
        return f"PoisonTopic({self.topic!r})"
