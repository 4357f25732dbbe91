"""Messages through a router and its middleware into batched ClickHouse inserts."""

from .handlers import (
    BatchConfig,
    BatchMessage,
    BatchResult,
    Event,
    EventConsumptionService,
    EventPublisher,
    EventRepository,
    MessageBatcher,
    log_to_stderr,
)
from .handlers.log_output import switch_off_by_default
from .middleware import CorrelationID, FailurePolicy, InstantAck, PoisonQueue, Recoverer, Retry, Throttle
from .router import (
    InMemoryConfig,
    InMemoryPubSub,
    Message,
    PoisonFile,
    PoisonTopic,
    Router,
    RouterConfig,
    SignalsHandler,
)

__version__ = "0.1.0"

__all__ = [
    "BatchConfig",
    "BatchMessage",
    "BatchResult",
    "CorrelationID",
    "Event",
    "EventConsumptionService",
    "EventPublisher",
    "EventRepository",
    "FailurePolicy",
    "InMemoryConfig",
    "InMemoryPubSub",
    "InstantAck",
    "Message",
    "MessageBatcher",
    "PoisonFile",
    "PoisonQueue",
    "PoisonTopic",
    "Recoverer",
    "Retry",
    "Router",
    "RouterConfig",
    "SignalsHandler",
    "Throttle",
    "__version__",
    "log_to_stderr",
]

switch_off_by_default()
