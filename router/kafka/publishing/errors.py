"""What went wrong with a message on its way into a topic, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from confluent_kafka import KafkaError

from ...delivery.message import Message
from ...errors import PublishError
from ..config import KafkaPublisherConfig
from ..errors import UNAUTHORIZED, UNKNOWN_TOPIC, unknown_topic
from ..marshaler import headers_of, key_of
from ..redaction import hide

UNSENDABLE = KafkaError._INVALID_ARG
"""The code of a message that has no wire form."""
BATCH_REFUSED = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError._INVALID_DIFFERENT_RECORD}
)
"""What brokers say to a whole request because of one message in it; that one alone can be told by sending each by itself."""
MESSAGE_REFUSED = BATCH_REFUSED | {UNSENDABLE}
"""The message itself is at fault: sent again, it is refused again."""


class KafkaPublishError(PublishError):
    """Some messages of one publish call were not confirmed.

    Args:
        positions: the reason for each message that was not, by its place in the call: uuids may repeat, places do not.
        codes: Kafka's number for each reason, a constant of `confluent_kafka.KafkaError`, by the same places: `_INVALID_ARG`
            for a message that has no wire form, `_QUEUE_FULL` where there was no room, `_PURGE_QUEUE` after a close.

    Its `refused` are the messages that are at fault themselves: too large, against the topic's rules, or without a wire form.
    """

    def __init__(
        self,
        topic: str,
        messages: Sequence[Message],
        positions: Mapping[int, str],
        codes: Mapping[int, int] | None = None,
    ) -> None:
        self.positions = dict(sorted(positions.items()))
        self.codes = dict(sorted((codes or {}).items()))
        failures: dict[str, str] = {}
        for position, reason in self.positions.items():
            failures.setdefault(messages[position].uuid, reason)
        super().__init__(topic, failures, [place for place, code in self.codes.items() if code in MESSAGE_REFUSED])
        self.against_rules = frozenset(place for place, code in self.codes.items() if code == KafkaError.INVALID_RECORD)


def reason_of(
    error: KafkaError, topic: str, config: KafkaPublisherConfig, message: Message, *, is_ours: bool = False
) -> str:
    """Return why *message*, for *topic*, failed, in words that say what to do where there is something to do.

    Args:
        is_ours: it was refused before any broker saw it.
    """
    code = error.code()
    if code in UNKNOWN_TOPIC:
        return unknown_topic(topic, config.address)
    if code in UNAUTHORIZED:
        text = hide(error.str(), config.secrets)
        return f"no right to write to topic {topic!r} on {config.address}: {text}; have it granted to this user"
    if code == KafkaError.MSG_SIZE_TOO_LARGE:
        bound = (
            f"max_message_bytes={config.max_message_bytes}" if is_ours else f"the max.message.bytes of topic {topic!r}"
        )
        return f"message too large: {_size_of(message):,} bytes with key and headers, over {bound}"
    if code == KafkaError.INVALID_RECORD:
        text = hide(error.str(), config.secrets)
        return f"against the rules of topic {topic!r} ({text}): a compacted one takes no message without a key"
    if code == KafkaError._MSG_TIMED_OUT:
        return f"not confirmed within delivery_timeout={config.delivery_timeout:g} s; it may have been written"
    if code == KafkaError._PURGE_QUEUE:
        return "not sent: the publisher was closed first"
    if code == KafkaError._PURGE_INFLIGHT:
        return "not confirmed: the publisher was closed first; it may have been written"
    return hide(error.str(), config.secrets)


def _size_of(message: Message) -> int:
    headers = sum(len(name.encode()) + len(value or b"") for name, value in headers_of(message))
    return len(message.payload) + len(key_of(message) or b"") + headers
