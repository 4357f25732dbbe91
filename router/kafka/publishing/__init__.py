"""Sending to Kafka."""

from .confirmation import Confirmation
from .publisher import KafkaPublisher

__all__ = ["Confirmation", "KafkaPublisher"]
