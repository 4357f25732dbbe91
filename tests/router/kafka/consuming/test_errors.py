"""What an error in place of a record does to its subscription: one table, no broker."""

import pytest
from confluent_kafka import KafkaError

from millstream.router import ConfigurationError, HaltedError
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.consuming.errors import RecordErrors


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
        RecordErrors("events", config, watch).take(KafkaError(code))
    except (ConfigurationError, HaltedError) as caught:
        raised = caught

    assert (type(raised) if raised else None) is error
    assert raised is None or "'events'" in str(raised)
    assert watch.is_told is is_told
