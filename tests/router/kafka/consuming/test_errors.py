"""What an error in place of a record does to its subscription: one table, no broker."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as Record

from millstream.router import ConfigurationError, HaltedError
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.consuming.errors import InstanceInUse, RecordErrors
from tests.router.kafka.scripted_consumer import TOPIC, ScriptedConsumer, record


class TopicWatch:
    """Remembers whether it was told that the topic is unknown."""

    is_told = False

    def on_unknown(self):
        """Take note."""
        self.is_told = True


@pytest.mark.parametrize(
    ("code", "error", "is_told"),
    [
        pytest.param(KafkaError._TRANSPORT, None, False, id="librdkafka connects again"),
        pytest.param(KafkaError.NOT_LEADER_FOR_PARTITION, None, False, id="librdkafka finds the new leader"),
        pytest.param(KafkaError.UNKNOWN_TOPIC_OR_PART, None, True, id="the topic may have gone"),
        pytest.param(KafkaError._UNKNOWN_TOPIC, None, True, id="or never was"),
        pytest.param(KafkaError._AUTO_OFFSET_RESET, HaltedError, False, id="nowhere to go on from"),
        pytest.param(KafkaError.OFFSET_OUT_OF_RANGE, HaltedError, False, id="out of range"),
        pytest.param(KafkaError.TOPIC_AUTHORIZATION_FAILED, ConfigurationError, False, id="no right to the topic"),
        pytest.param(KafkaError.GROUP_AUTHORIZATION_FAILED, ConfigurationError, False, id="no right to the group"),
        pytest.param(KafkaError._FATAL, ConfigurationError, False, id="a client at its end"),
    ],
)
def test_error_ends_what_nobody_mends(code, error, is_told):
    """Everything else is passed over; whether a topic is there is asked, not believed."""
    watch, raised = TopicWatch(), None
    config = KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g")
    try:
        RecordErrors(ScriptedConsumer(), TOPIC, config, watch).take(record(3, error=code))
    except (ConfigurationError, HaltedError) as caught:
        raised = caught

    assert (type(raised) if raised else None) is error
    assert raised is None or "'events'" in str(raised)
    assert watch.is_told is is_told


def test_a_member_of_our_instance_id_is_told_from_other_fatal_errors():
    """Its session may end; librdkafka gives it the code of everything fatal, and says what it was in the text alone."""
    told = f"Fatal error: {KafkaError(KafkaError.UNRELEASED_INSTANCE_ID).str()}: ConsumerGroupHeartbeat fatal error"
    refused = Record(topic=TOPIC, error=KafkaError(KafkaError._FATAL, told))
    config = KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g")

    with pytest.raises(InstanceInUse):
        RecordErrors(ScriptedConsumer(), TOPIC, config, TopicWatch()).take(refused)


class Bounds(ScriptedConsumer):
    """Tells the bounds of a log, or raises what it was given for them."""

    def __init__(self, bounds):
        super().__init__()
        self._bounds = bounds

    def get_watermark_offsets(self, place, timeout):
        """Return or raise them."""
        if isinstance(self._bounds, BaseException):
            raise self._bounds
        return self._bounds


@pytest.mark.parametrize(
    ("bounds", "text"),
    [
        pytest.param((7, 9), "what stood at 3 to 6 has gone unread", id="below the log"),
        pytest.param((0, 2), "ends at 2 .*made anew", id="above the log"),
        pytest.param(KafkaException(KafkaError(KafkaError._TIMED_OUT)), "retention, or", id="nobody says"),
    ],
)
def test_offset_out_of_range_says_what_is_missing(bounds, text):
    """The partition, the offset, and as far as somebody tells the bounds of its log what may have been lost."""
    config = KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g")
    errors = RecordErrors(Bounds(bounds), TOPIC, config, TopicWatch())

    with pytest.raises(HaltedError, match=rf"'events', partition 2: offset 3.*not in the log any more.*{text}"):
        errors.take(record(3, partition=2, error=KafkaError._AUTO_OFFSET_RESET))
