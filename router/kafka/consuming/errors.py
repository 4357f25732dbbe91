"""What ends a subscription, and what is passed over."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from loguru import logger

from ...errors import ConfigurationError, HaltedError, MillstreamError
from ..config import KafkaSubscriberConfig
from ..errors import UNKNOWN_TOPIC
from ..redaction import hide
from .topic_watch import TopicWatch

FINAL = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError._FATAL})
"""What ends a subscription: no right to read, or a client that is at its end; the last does not call itself fatal in a poll."""
IN_USE = KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()
"""What librdkafka says in a fatal error, whose own code is another, when the group has a member of our instance id."""
OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
BOUNDS_SECONDS = 1.0
"""How long a leader may take to tell the bounds of its log; without them the error says less."""


class InstanceInUse(MillstreamError):
    """The group has a member of our instance id that has not gone yet; a later client may be taken in. Ends one client only."""


class RecordErrors:
    """Judges the errors that come in place of records. For the poll thread only.

    Args:
        consumer: asked for the bounds of a log.
        topic: what is read.
        config: the group, and the secrets to hide.
        topic_watch: told when a broker does not know the topic.
    """

    def __init__(self, consumer: Consumer, topic: str, config: KafkaSubscriberConfig, topic_watch: TopicWatch) -> None:
        self._consumer = consumer
        self._topic = topic
        self._config = config
        self._topic_watch = topic_watch

    def take(self, record: Any) -> None:
        """Pass over what librdkafka mends by itself.

        Args:
            record: as confluent-kafka hands it out, with an error in it.

        Raises:
            HaltedError: the offset to go on from is out of range.
            ConfigurationError: a right, or the topic, is missing, or the client is at its end.
            InstanceInUse: so it is, as the group does not take it in yet.
        """
        error: KafkaError = record.error()
        code = error.code()
        if code in UNKNOWN_TOPIC:
            self._topic_watch.on_unknown()
            return
        text = hide(error.str(), self._config.secrets)
        if code in OUT_OF_RANGE:
            place = TopicPartition(self._topic, record.partition(), record.offset())
            raise out_of_range(place, self._bounds(place))
        if IN_USE in error.str():
            raise InstanceInUse(text)
        if code in FINAL or error.fatal():
            raise ConfigurationError(f"topic {self._topic!r}, group {self._config.group_id!r}: {text}")
        logger.warning("Kafka reports an error of topic {topic}, going on: {error}", topic=self._topic, error=text)

    def _bounds(self, place: TopicPartition) -> tuple[int, int] | None:
        try:
            return self._consumer.get_watermark_offsets(place, BOUNDS_SECONDS)
        except KafkaException:
            return None


def out_of_range(place: TopicPartition, bounds: tuple[int, int] | None) -> HaltedError:
    """Return the error of an offset that the log does not have: going on from elsewhere would skip or repeat.

    Args:
        place: the partition, and the offset that was asked for.
        bounds: the first offset of its log and the one behind its last, if somebody told them.
    """
    what = f"topic {place.topic!r}, partition {place.partition}: offset {place.offset}, where its group is to go on,"
    if bounds is None:
        found = "is not in the log any more (retention, or the topic was made anew)"
    elif place.offset < bounds[0]:
        found = (
            f"is not in the log any more: what stood at {place.offset} to {bounds[0] - 1} has gone unread (retention)"
        )
    else:
        found = f"is not in the log any more, which ends at {bounds[1]} (records were lost, or the topic was made anew)"
    return HaltedError(f"{what} {found}; reset the group's offsets where you want to go on")


def client_failed(error: KafkaException, topic: str, config: KafkaSubscriberConfig) -> MillstreamError:
    """Return what the client raised as an error of ours: its own may break whoever logs them."""
    return MillstreamError(f"the Kafka consumer of topic {topic!r} failed: {hide(str(error.args[0]), config.secrets)}")
