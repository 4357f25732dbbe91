"""What tests of Millstream, and of programs built on it, need."""

from .conformance import ConformanceError, ConformanceSuite, Features
from .fake_subscriber import FakeSubscriber
from .fake_subscription import FakePartition, FakeSubscription
from .fake_worker import FakeWorker
from .manual_clock import ManualClock
from .recording_handler import RecordingHandler
from .recording_publisher import RecordingPublisher
from .running import eventually, running

__all__ = [
    "ConformanceError",
    "ConformanceSuite",
    "FakePartition",
    "FakeSubscriber",
    "FakeSubscription",
    "FakeWorker",
    "Features",
    "ManualClock",
    "RecordingHandler",
    "RecordingPublisher",
    "eventually",
    "running",
]
