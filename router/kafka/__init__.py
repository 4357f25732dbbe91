"""The Kafka transport."""

from .admin import KafkaAdmin
from .client_config import KafkaClientConfig
from .config import KafkaPublisherConfig, KafkaSubscriberConfig
from .consuming.statistics import PartitionStatistics, SubscriptionStatistics
from .consuming.subscriber import KafkaSubscriber
from .consuming.subscription import KafkaSubscription
from .publishing.confirmation import Confirmation
from .publishing.errors import KafkaPublishError
from .publishing.publisher import KafkaPublisher
from .security import KafkaSasl, KafkaTls, TokenProvider

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
