"""The conformance suite over a real Apache Kafka, its restart included."""

from typing import Any, ClassVar

import msgspec
import pytest

from millstream.router.kafka import KafkaAdmin, KafkaClientConfig
from millstream.router.testing import ConformanceSuite
from millstream.router.testing.conformance.closing_cases import ClosingCases
from millstream.router.testing.conformance.commit_cases import CommitCases
from millstream.router.testing.conformance.delivery_cases import DeliveryCases
from millstream.router.testing.conformance.group_cases import GroupCases
from millstream.router.testing.conformance.order_cases import OrderCases
from millstream.router.testing.conformance.outage_cases import OutageCases
from millstream.router.testing.conformance.rebalance_cases import RebalanceCases
from tests.router.conformance.kafka_suite import KAFKA, KafkaPubSub
from tests.router.conformance.pipeline_cases import PipelineCases

CLASSIC = {"session_timeout": 6.0, "heartbeat_interval": 0.2}
"""Times that let a group settle in a test."""


class OwnBroker(KafkaPubSub):
    """A broker that may be killed."""

    features = KAFKA
    partitions = 4
    options: ClassVar[dict[str, Any]] = CLASSIC

    @pytest.fixture(autouse=True)
    def _broker(self, own_kafka):
        self.kafka = own_kafka
        self.brokers = [own_kafka.bootstrap_servers]
        self.topics = []
        yield
        for topic in self.topics:  # a broker that is killed later would have to read every log of theirs at its start
            own_kafka.delete_topic(topic)

    def make_topic(self, topic):
        """Create *topic*: brokers make none by themselves."""
        self.topics.append(topic)
        KafkaAdmin(KafkaClientConfig(brokers=self.brokers)).create_topic(topic, partitions=self.partitions)

    def stop_service(self):
        """Kill the broker."""
        self.kafka.kill()

    def start_service(self):
        """Start it where it was."""
        self.kafka.start()


class TestClassicProtocol(OwnBroker, PipelineCases, ConformanceSuite):
    """Everything but exactly-once delivery."""


class Cooperative(OwnBroker):
    """A rebalance moves only the partitions that have to move."""

    options: ClassVar[dict[str, Any]] = {**CLASSIC, "assignment_strategy": "cooperative-sticky"}


class TestCooperativeSticky(Cooperative, RebalanceCases, CommitCases, ClosingCases):
    """The cases in which partitions move, are committed and are left: all else is the client of the classic protocol."""


@pytest.mark.soak
class TestCooperativeStickyInFull(Cooperative, PipelineCases, ConformanceSuite):
    """Every case."""


class Consumer(OwnBroker):
    """The group protocol of KIP-848; its times are the broker's."""

    options: ClassVar[dict[str, Any]] = {"group_protocol": "consumer"}


class TestConsumerProtocol(Consumer, GroupCases, RebalanceCases, CommitCases, ClosingCases):
    """The cases of groups, where partitions move, are committed and are left: all else is the client of the classic protocol."""


@pytest.mark.soak
class TestConsumerProtocolInFull(Consumer, PipelineCases, ConformanceSuite):
    """Every case."""


@pytest.mark.soak
class TestInFull(OwnBroker, DeliveryCases, OrderCases, ClosingCases, CommitCases, RebalanceCases, OutageCases):
    """The full volumes, over as many partitions as in Watermill's own tests of Kafka: a minute and a half.

    Without the cases of groups and of poison topics, which are as large when they are short.
    """

    features = msgspec.structs.replace(KAFKA, force_short=False)
    partitions = 50
