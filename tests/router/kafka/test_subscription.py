"""Receiving from Kafka without a router."""

import pytest

from millstream.router import ConfigurationError
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.subscriber import KafkaSubscriber


@pytest.mark.slow
def test_what_ends_the_poll_thread_is_raised_to_who_receives(mock_cluster):
    """Invariant "no silent stop": whoever waits for messages hears of it, as nobody else would."""
    subscriber = KafkaSubscriber(KafkaSubscriberConfig(brokers=[mock_cluster.bootstrap_servers], group_id="g"))
    subscription = subscriber.subscribe("no-such-topic")

    with pytest.raises(ConfigurationError, match="no-such-topic"):
        subscription.receive(1, 5.0)
    subscriber.close()
