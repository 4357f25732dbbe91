"""The Kafka transport."""

from .admin import KafkaAdmin
from .config import KafkaClientConfig, KafkaPublisherConfig, KafkaSubscriberConfig
from .confirmation import Confirmation
from .errors import KafkaPublishError
from .publisher import KafkaPublisher
from .security import KafkaSasl, KafkaTls, TokenProvider
from .statistics import PartitionStatistics, SubscriptionStatistics
from .subscriber import KafkaSubscriber
from .subscription import KafkaSubscription

__all__ = [
    "Confirmation",
    "KafkaAdmin",
    "KafkaClientConfig",
    "KafkaPublishError",
    "KafkaPublisher",
    "KafkaPublisherConfig",
    "KafkaSasl",
    "KafkaSubscriber",
    "KafkaSubscriberConfig",
    "KafkaSubscription",
    "KafkaTls",
    "PartitionStatistics",
    "SubscriptionStatistics",
    "TokenProvider",
]
