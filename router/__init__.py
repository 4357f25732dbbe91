"""The message router: messages, delivery, transports.

The life of a message, from its record to the commit of its offset:

1. A poll brings records (`kafka/consuming/poll_loop.py`); each becomes a `Message` in the `OffsetBook` of its partition
   (`kafka/consuming/unpacking.py`, `delivery/offset_book.py`) and waits in a buffer (`kafka/consuming/delivery_buffer.py`).
2. A handler's thread receives a chunk and marks each message as running, so that nothing settles it (`running/runner.py`). Where
   nobody in its chain wants to see each message, those of a partition come as one run, which settles as a message does, and is
   divided when somebody looks at one of them (`delivery/run.py`, `running/run_runner.py`, `running/ways.py`).
3. It goes through the chain, router-level middleware outside (`running/chain.py`), to the handler.
4. A batching handler holds it (`Delivery.hold` in `delivery/settlement.py`), puts it into its batch and returns at once.
5. The chain has returned: the runner writes `verdict = ACKED` and `chain = RETURNED`. It tells nobody, which is cheap.
6. The batch is in the store: the worker releases the hold and wakes the poll thread once (`delivery/assignment.py`).
7. The poll thread reads the flags: `OffsetBook.advance` lets go from the front what is settled (`delivery/offset_book.py`).
8. It stores the offset after that, and librdkafka commits it by interval; on a revoke and at the close we do
   (`kafka/consuming/committer.py`).
9. What fails comes again after a while (`delivery/parking.py`), or goes to the poison sink, whose written record settles it
   (`poison/sink_worker.py`).
10. When its partition goes, a revoke waits for what may settle (`delivery/revoke_wait.py`); the rest comes to somebody else.
"""

from .clock import MONOTONIC, Clock, MonotonicClock
from .delivery.assignment import Assignment
from .delivery.context import Context, DeadlineExceeded, Scope
from .delivery.hold import Hold
from .delivery.message import Message
from .delivery.offset_book import OffsetBook
from .delivery.run import MessageRun
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
from .poison.choices import (
    DROP,
    HALT,
    REDELIVER,
    LooksAhead,
    NotWritten,
    Poison,
    PoisonChoice,
    PoisonTopic,
    PoisonWriter,
)
from .poison.file import PoisonFile
from .poison.storm import StormLimits
from .protocols import (
    Admits,
    AssignmentListener,
    ChecksTopics,
    ClosesSlowly,
    DeliversRuns,
    FindsTopics,
    HandlerFunc,
    InGroup,
    Located,
    Middleware,
    Named,
    Publisher,
    ShowsBooks,
    Subscriber,
    Subscription,
    Supervised,
    TakeRun,
    TellsLastError,
    Worker,
)
from .running.config import RouterConfig
from .running.handler import Handler
from .running.router import Router
from .running.signals import ForcedExit, SignalsHandler

__all__ = [
    "DROP",
    "HALT",
    "MONOTONIC",
    "REDELIVER",
    "Admits",
    "Assignment",
    "AssignmentListener",
    "Cancelled",
    "ChecksTopics",
    "Clock",
    "ClosesSlowly",
    "ConfigurationError",
    "Context",
    "DeadlineExceeded",
    "DeliversRuns",
    "ExitCode",
    "FindsTopics",
    "ForcedExit",
    "HaltedError",
    "Handler",
    "HandlerFunc",
    "Hold",
    "InGroup",
    "InMemoryConfig",
    "InMemoryPubSub",
    "KafkaPublisher",
    "KafkaPublisherConfig",
    "KafkaSubscriber",
    "KafkaSubscriberConfig",
    "Located",
    "LooksAhead",
    "Message",
    "MessageRun",
    "MessageTooLarge",
    "Middleware",
    "MillstreamError",
    "MonotonicClock",
    "Named",
    "NotWritten",
    "OffsetBook",
    "PermanentError",
    "Poison",
    "PoisonChoice",
    "PoisonFile",
    "PoisonTopic",
    "PoisonWriter",
    "PublishError",
    "Publisher",
    "RecoveredPanicError",
    "Router",
    "RouterConfig",
    "Scope",
    "ShowsBooks",
    "SignalsHandler",
    "StateError",
    "StormLimits",
    "Subscriber",
    "Subscription",
    "SubscriptionClosed",
    "Supervised",
    "TakeRun",
    "TellsLastError",
    "TransientError",
    "UndrainedError",
    "Worker",
    "exit_on_error",
]
