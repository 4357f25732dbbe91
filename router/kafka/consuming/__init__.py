"""Receiving from Kafka."""

from .statistics import PartitionStatistics, SubscriptionStatistics
from .subscriber import KafkaSubscriber
from .subscription import KafkaSubscription

__all__ = ["KafkaSubscriber", "KafkaSubscription", "PartitionStatistics", "SubscriptionStatistics"]
