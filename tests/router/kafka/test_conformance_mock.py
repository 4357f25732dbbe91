"""The conformance suite over librdkafka's mock brokers: the client's side of everything, without a real broker."""

from typing import Any, ClassVar

import pytest

from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import ConformanceSuite, Features
from tests.router.kafka.mock_cluster import MockCluster


@pytest.fixture(scope="module")
def brokers():
    """One mock cluster for all cases: each has topics and groups of its own."""
    cluster = MockCluster(1)
    cluster.set_group_times(session=3.0, heartbeat=0.2)
    yield cluster
    cluster.close()


@pytest.mark.slow
class TestMockCluster(ConformanceSuite):
    """Everything but exactly-once delivery."""

    features = Features(
        persistent=True,
        consumer_groups=True,
        guaranteed_order=True,
        new_subscriber_receives_old_messages=True,
        restartable=True,
        force_short=True,
        idle_timeout=40.0,
    )
    options: ClassVar[dict[str, Any]] = {"session_timeout": 3.0, "heartbeat_interval": 0.2}
    """Mock brokers find out about a member that left while it joined only when its session ends."""

    @pytest.fixture(autouse=True)
    def _brokers(self, brokers):
        self.cluster = brokers

    def make_topic(self, topic):
        """Create *topic*: clients of ours make none by themselves."""
        self.cluster.create_topic(topic, 4)

    def make_pubsub(self, group):
        """Return a publisher and a member of *group*."""
        brokers = [self.cluster.bootstrap_servers]
        config = KafkaSubscriberConfig(brokers=brokers, group_id=group, commit_interval=0.1, **self.options)
        return KafkaPublisher(KafkaPublisherConfig(brokers=brokers)), KafkaSubscriber(config)

    def restart_service(self):
        """Take every broker away and bring it back; connections end."""
        self.cluster.set_down()
        self.cluster.set_up()


class TestConsumerProtocol(TestMockCluster):
    """The same with the group protocol of KIP-848, whose times are the brokers'."""

    options: ClassVar[dict[str, Any]] = {"group_protocol": "consumer"}
