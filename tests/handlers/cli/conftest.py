"""Kafka brokers for the tests of the commands that use them."""

from tests.router.kafka.mock_cluster_fixtures import mock_cluster
from tests.router.kafka.real_kafka_fixtures import own_kafka, real_kafka, started_kafka

__all__ = ["mock_cluster", "own_kafka", "real_kafka", "started_kafka"]
