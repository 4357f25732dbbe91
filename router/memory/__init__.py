"""The in-memory transport."""

from .config import InMemoryConfig
from .group import InMemoryGroup
from .pubsub import InMemoryPubSub
from .subscription import InMemorySubscription

__all__ = ["InMemoryConfig", "InMemoryGroup", "InMemoryPubSub", "InMemorySubscription"]
