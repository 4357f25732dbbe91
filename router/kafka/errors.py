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
    return f"topic {topic!r} does not exist on {address}; create it with: {creating(topic, address)}"


def creating(topic: str, address: str, partitions: int = 4) -> str:
    """Return the command that creates *topic*: the one that is there wherever this is; it publishes nothing."""
    return f"millstream publish /dev/null --brokers {address} --topic {topic} --create-topic {partitions}"
