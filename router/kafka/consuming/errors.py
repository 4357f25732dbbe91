"""What ends a subscription, and what is passed over."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException
from loguru import logger

from ...errors import ConfigurationError, HaltedError, MillstreamError
from ..config import KafkaSubscriberConfig
from ..errors import UNKNOWN_TOPIC
from ..redaction import hide
from .topic_watch import TopicWatch

FINAL = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError._FATAL})
"""What ends a subscription: no right to read, or a client that is at its end; the last does not call itself fatal in a poll."""
OUT_OF_RANGE = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})


class RecordErrors:
    """Judges the errors that come in place of records. For the poll thread only.

    Args:
        topic: what is read.
        config: the group, and the secrets to hide.
        topic_watch: told when a broker does not know the topic.
    """

    def __init__(self, topic: str, config: KafkaSubscriberConfig, topic_watch: TopicWatch) -> None:
        self._topic = topic
        self._config = config
        self._topic_watch = topic_watch

    def take(self, error: KafkaError) -> None:
        """Pass over what librdkafka mends by itself.

        Raises:
            HaltedError: the committed offset is out of range.
            ConfigurationError: a right, or the topic, is missing, or the client is at its end.
        """
        code = error.code()
        if code in UNKNOWN_TOPIC:
            self._topic_watch.on_unknown()
            return
        text = hide(error.str(), self._config.secrets)
        if code in OUT_OF_RANGE:
            raise out_of_range(self._topic)
        if code in FINAL or error.fatal():
            raise ConfigurationError(f"topic {self._topic!r}, group {self._config.group_id!r}: {text}")
        logger.bind(topic=self._topic, error=text).warning("Kafka reports an error, going on")


def out_of_range(topic: str) -> HaltedError:
    """Return the error of a committed offset that the log no longer has: going on from elsewhere would skip or repeat."""
    return HaltedError(
        f"topic {topic!r}: the committed offset is not in the log any more (retention, or the topic was made anew); "
        "reset the group's offsets where you want to go on"
    )


def client_failed(error: KafkaException, topic: str, config: KafkaSubscriberConfig) -> MillstreamError:
    """Return what the client raised as an error of ours: its own may break whoever logs them."""
    return MillstreamError(f"the Kafka consumer of topic {topic!r} failed: {hide(str(error.args[0]), config.secrets)}")
