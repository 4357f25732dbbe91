"""The conformance suite over librdkafka's mock brokers: the client's side of everything, without a real broker."""

from typing import Any, ClassVar

import msgspec
import pytest

from millstream.router.testing import ConformanceSuite
from tests.router.conformance.kafka_suite import KAFKA, KafkaPubSub
from tests.router.conformance.pipeline_cases import PipelineCases
from tests.router.kafka.mock_cluster import MockCluster


@pytest.fixture(scope="module")
def brokers():
    """One mock cluster for all cases: each has topics and groups of its own."""
    cluster = MockCluster(1)
    cluster.set_group_times(session=3.0, heartbeat=0.2)
    yield cluster
    cluster.close()


@pytest.mark.slow
@pytest.mark.long
class TestMockCluster(KafkaPubSub, PipelineCases, ConformanceSuite):
    """Everything but exactly-once delivery; and mock brokers refuse commits while a group of the classic protocol rebalances."""

    features = msgspec.structs.replace(KAFKA, clean_handover=False)
    options: ClassVar[dict[str, Any]] = {"session_timeout": 3.0, "heartbeat_interval": 0.2}
    """Mock brokers find out about a member that left while it joined only when its session ends."""

    @pytest.fixture(autouse=True)
    def _brokers(self, brokers):
        self.cluster = brokers
        self.brokers = [brokers.bootstrap_servers]

    def make_topic(self, topic):
        """Create *topic*: clients of ours make none by themselves."""
        self.cluster.create_topic(topic, 4)

    def stop_service(self):
        """Take every broker away: connections end."""
        self.cluster.set_down()

    def start_service(self):
        """Bring them back."""
        self.cluster.set_up()


class TestConsumerProtocol(TestMockCluster):
    """The same with the group protocol of KIP-848, whose times are the brokers' and whose commits are never refused; in runs."""

    features = msgspec.structs.replace(TestMockCluster.features, clean_handover=True, delivers_runs=True)

    options: ClassVar[dict[str, Any]] = {"group_protocol": "consumer"}
