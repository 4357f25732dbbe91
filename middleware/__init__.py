"""Middleware: what wraps a handler, one class per file."""

from .backoff import Backoff, RetrySchedule
from .correlation_id import CorrelationID, correlation_id_of, set_correlation_id
from .failure_policy import FailurePolicy
from .instant_ack import InstantAck
from .poison_queue import PoisonQueue
from .recoverer import Recoverer
from .retry import Retry
from .throttle import Throttle

__all__ = [
    "Backoff",
    "CorrelationID",
    "FailurePolicy",
    "InstantAck",
    "PoisonQueue",
    "Recoverer",
    "Retry",
    "RetrySchedule",
    "Throttle",
    "correlation_id_of",
    "set_correlation_id",
]
