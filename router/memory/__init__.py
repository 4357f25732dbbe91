"""The in-memory transport."""

from .config import InMemoryConfig
from .pubsub import InMemoryPubSub
from .subscription import InMemorySubscription

__all__ = ["InMemoryConfig", "InMemoryPubSub", "InMemorySubscription"]
