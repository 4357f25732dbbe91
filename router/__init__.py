"""The message router: messages, delivery, transports."""

from .clock import MONOTONIC, Clock, MonotonicClock
from .delivery.assignment import Assignment
from .delivery.context import Context, DeadlineExceeded, Scope
from .delivery.hold import Hold
from .delivery.message import Message
from .delivery.offset_book import OffsetBook
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
from .kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSubscriber, KafkaSubscriberConfig
from .memory import InMemoryConfig, InMemoryPubSub
from .poison.choices import PoisonTopic, PoisonWriter
from .poison.file import PoisonFile
from .protocols import (
    AssignmentListener,
    HandlerFunc,
    Middleware,
    Publisher,
    Subscriber,
    Subscription,
    Worker,
)
from .running.config import RouterConfig
from .running.handler import Handler
from .running.router import Router
from .running.signals import ForcedExit, SignalsHandler

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
