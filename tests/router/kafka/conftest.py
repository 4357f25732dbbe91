"""Mock brokers for the tests of the Kafka transport; a conftest of another folder can import the same names."""

from tests.router.kafka.mock_cluster_fixtures import mock_cluster, mock_cluster_process
from tests.router.kafka.publisher_fixtures import events_topic, make_publisher

__all__ = [
    "events_topic",
    "make_publisher",
    "mock_cluster",
    "mock_cluster_process",
]
