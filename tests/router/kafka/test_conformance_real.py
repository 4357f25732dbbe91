"""The conformance suite over a real Apache Kafka, its restart included."""

from typing import Any, ClassVar

import pytest

from millstream.router.kafka import (
    KafkaAdmin,
    KafkaClientConfig,
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSubscriber,
    KafkaSubscriberConfig,
)
from millstream.router.testing import ConformanceSuite, Features


class TestClassicProtocol(ConformanceSuite):
    """Everything but exactly-once delivery."""

    options: ClassVar[dict[str, Any]] = {"session_timeout": 6.0, "heartbeat_interval": 0.2}
    """Times that let a group settle in a test."""

    features = Features(
        persistent=True,
        consumer_groups=True,
        guaranteed_order=True,
        new_subscriber_receives_old_messages=True,
        restartable=True,
        force_short=True,
    )

    @pytest.fixture(autouse=True)
    def _broker(self, own_kafka):
        self.kafka = own_kafka
        self.brokers = [own_kafka.bootstrap_servers]

    def make_topic(self, topic):
        """Create *topic*: brokers make none by themselves."""
        KafkaAdmin(KafkaClientConfig(brokers=self.brokers)).create_topic(topic, partitions=4)

    def make_pubsub(self, group):
        """Return a publisher and a member of *group*."""
        config = KafkaSubscriberConfig(brokers=self.brokers, group_id=group, commit_interval=0.1, **self.options)
        return KafkaPublisher(KafkaPublisherConfig(brokers=self.brokers)), KafkaSubscriber(config)

    def restart_service(self):
        """Kill the broker and start it again."""
        self.kafka.kill()
        self.kafka.start()


class TestCooperativeSticky(TestClassicProtocol):
    """The same where a rebalance moves only the partitions that have to move."""

    options: ClassVar[dict[str, Any]] = {**TestClassicProtocol.options, "assignment_strategy": "cooperative-sticky"}


class TestConsumerProtocol(TestClassicProtocol):
    """The same with the group protocol of KIP-848; its times are the broker's."""

    options: ClassVar[dict[str, Any]] = {"group_protocol": "consumer"}
