"""A message and the place that it was given in its topic."""

from __future__ import annotations

import msgspec

from ..delivery.message import Assigned, Message


class Placed(msgspec.Struct, gc=False, frozen=True):
    """What a topic hands to its subscriptions.

    Args:
        message: as it was published; whoever publishes may go on using it.
        topic, partition, offset: where it stands.
        timestamp: when it came, in seconds since 1970 (UTC).
    """

    message: Message
    topic: str
    partition: int
    offset: int
    timestamp: float

    def delivered_by(self, assignment: Assigned | None) -> Message:
        """Return a message of its own for one subscription."""
        message = self.message
        return Message(
            message.payload,
            uuid=message.uuid,
            metadata=dict(message.metadata),
            key=message.key,
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            timestamp=self.timestamp,
            assignment=assignment,
        )

    def kept(self) -> Placed:
        """Return the same, of a copy that nobody else can change."""
        return msgspec.structs.replace(self, message=self.delivered_by(None))
