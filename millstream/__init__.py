"""Messages through a router and its middleware into batched ClickHouse inserts.

These are the names that a first program needs. The rooms have all of them: `millstream.router`, `millstream.middleware` and
`millstream.handlers`.
"""

from .handlers import (
    Batch,
    BatchConfig,
    BatchMessage,
    BatchResult,
    ClickHouseTable,
    Event,
    EventConsumptionService,
    EventPublisher,
    EventRepository,
    MessageBatcher,
    Settings,
    load_settings,
    log_to_stderr,
)
from .handlers.log_output import switch_off_by_default
from .middleware import CorrelationID, FailurePolicy, InstantAck, PoisonQueue, Recoverer, Retry, Throttle
from .router import (
    DROP,
    HALT,
    REDELIVER,
    ConfigurationError,
    HaltedError,
    HandlerFunc,
    InMemoryConfig,
    InMemoryPubSub,
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    Message,
    Middleware,
    PermanentError,
    PoisonFile,
    PoisonTopic,
    Router,
    RouterConfig,
    SignalsHandler,
    TransientError,
    exit_on_error,
)

__version__ = "0.1.0"

__all__ = [
    "DROP",
    "HALT",
    "REDELIVER",
    "Batch",
    "BatchConfig",
    "BatchMessage",
    "BatchResult",
    "ClickHouseTable",
    "ConfigurationError",
    "CorrelationID",
    "Event",
    "EventConsumptionService",
    "EventPublisher",
    "EventRepository",
    "FailurePolicy",
    "HaltedError",
    "HandlerFunc",
    "InMemoryConfig",
    "InMemoryPubSub",
    "InstantAck",
    "KafkaPublisher",
    "KafkaPublisherConfig",
    "KafkaSubscriber",
    "KafkaSubscriberConfig",
    "Message",
    "MessageBatcher",
    "Middleware",
    "PermanentError",
    "PoisonFile",
    "PoisonQueue",
    "PoisonTopic",
    "Recoverer",
    "Retry",
    "Router",
    "RouterConfig",
    "Settings",
    "SignalsHandler",
    "Throttle",
    "TransientError",
    "__version__",
    "exit_on_error",
    "load_settings",
    "log_to_stderr",
]

switch_off_by_default()
