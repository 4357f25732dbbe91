"""Publishers on mock brokers, for the tests of what a publisher does."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig
from tests.router.kafka.mock_cluster import MockCluster

MakePublisher = Callable[..., KafkaPublisher]


@pytest.fixture
def make_publisher(mock_cluster: MockCluster) -> Iterator[MakePublisher]:
    """Make publishers, on the mock brokers unless told otherwise, closed when the test is over."""
    made: list[KafkaPublisher] = []

    def make(**settings: Any) -> KafkaPublisher:
        brokers = [mock_cluster.bootstrap_servers]
        made.append(KafkaPublisher(KafkaPublisherConfig(**{"brokers": brokers, "close_timeout": 0.1, **settings})))
        return made[-1]

    yield make
    for publisher in made:
        publisher.close()


@pytest.fixture
def events_topic(mock_cluster: MockCluster) -> None:
    """A topic `events` on the mock brokers."""
    mock_cluster.create_topic("events")
