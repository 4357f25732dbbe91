"""The message router: messages, delivery, transports."""

from .assignment import Assignment
from .clock import MONOTONIC, Clock, MonotonicClock
from .context import Context, DeadlineExceeded, Scope
from .errors import (
    Cancelled,
    ConfigurationError,
    HaltedError,
    MessageTooLarge,
    MillstreamError,
    PermanentError,
    PublishError,
    RecoveredPanicError,
    StateError,
    SubscriptionClosed,
    TransientError,
    UndrainedError,
)
from .exit_codes import ExitCode, exit_on_error
from .handler import Handler
from .hold import Hold
from .kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSubscriber, KafkaSubscriberConfig
from .memory import InMemoryConfig, InMemoryPubSub
from .message import Message
from .offset_book import OffsetBook
from .poison import PoisonFile, PoisonTopic, PoisonWriter
from .protocols import (
    AssignmentListener,
    HandlerFunc,
    Middleware,
    Publisher,
    Subscriber,
    Subscription,
    Worker,
)
from .router import Router, RouterConfig
from .signals import ForcedExit, SignalsHandler

__all__ = [
    "MONOTONIC",
    "Assignment",
    "AssignmentListener",
    "Cancelled",
    "Clock",
    "ConfigurationError",
    "Context",
    "DeadlineExceeded",
    "ExitCode",
    "ForcedExit",
    "HaltedError",
    "Handler",
    "HandlerFunc",
    "Hold",
    "InMemoryConfig",
    "InMemoryPubSub",
    "KafkaPublisher",
    "KafkaPublisherConfig",
    "KafkaSubscriber",
    "KafkaSubscriberConfig",
    "Message",
    "MessageTooLarge",
    "Middleware",
    "MillstreamError",
    "MonotonicClock",
    "OffsetBook",
    "PermanentError",
    "PoisonFile",
    "PoisonTopic",
    "PoisonWriter",
    "PublishError",
    "Publisher",
    "RecoveredPanicError",
    "Router",
    "RouterConfig",
    "Scope",
    "SignalsHandler",
    "StateError",
    "Subscriber",
    "Subscription",
    "SubscriptionClosed",
    "TransientError",
    "UndrainedError",
    "Worker",
    "exit_on_error",
]
