"""Kafka brokers for the tests of settings that use them."""

from tests.router.kafka.real_kafka_fixtures import own_kafka, started_kafka

__all__ = ["own_kafka", "started_kafka"]
