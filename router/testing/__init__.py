"""What tests of Millstream, and of programs built on it, need."""

from .fake_subscription import FakePartition, FakeSubscriber, FakeSubscription
from .fake_worker import FakeWorker
from .manual_clock import ManualClock
from .recording_handler import RecordingHandler
from .recording_publisher import RecordingPublisher
from .running import eventually, running

__all__ = [
    "FakePartition",
    "FakeSubscriber",
    "FakeSubscription",
    "FakeWorker",
    "ManualClock",
    "RecordingHandler",
    "RecordingPublisher",
    "eventually",
    "running",
]
