"""What Kafka's error codes mean to publishers, subscribers and admin clients alike, and what to say about them."""

from __future__ import annotations

from confluent_kafka import KafkaError

UNKNOWN_TOPIC = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART})
UNAUTHORIZED = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
"""Who we are is known, and may not do this."""


def unknown_topic(topic: str, address: str) -> str:
    """Return what to say about a topic that does not exist: its name, where, and how it is created."""
    command = f"kafka-topics.sh --bootstrap-server {address} --create --topic {topic} --partitions 6"
    ours = f"millstream publish /dev/null --brokers {address} --topic {topic} --create-topic 6"
    return f"topic {topic!r} does not exist on {address}; create it with: {command} (or: {ours})"
