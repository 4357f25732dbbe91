"""What a Kafka subscriber returns: the receiving side of one consumer, which a thread of its own polls."""

from __future__ import annotations

from confluent_kafka import Consumer

from ..assignment import Assignment
from ..clock import MONOTONIC
from ..message import Message
from ..protocols import AssignmentListener
from ..worker_thread import WorkerThread
from .client import open_client
from .config import KafkaSubscriberConfig
from .connection import ConnectionWatch
from .delivery_buffer import DeliveryBuffer
from .holdings import Holdings
from .nacked import Nacked
from .poll_loop import PollLoop
from .properties import subscriber_properties
from .statistics import SubscriptionStatistics

CLOSE_SECONDS = 15.0
"""How long leaving the group may take: the last commit and one request to the coordinator."""


class KafkaSubscription:
    """The messages of one topic that one member of a consumer group gets; see `Subscription`.

    Raises:
        ConfigurationError: librdkafka refuses a property.
    """

    def __init__(self, topic: str, config: KafkaSubscriberConfig, listener: AssignmentListener | None) -> None:
        self._buffer = DeliveryBuffer(config.buffer_messages, config.buffer_bytes)
        self._nacked = Nacked(config.nack_resend_delay)
        watch = ConnectionWatch(config)
        consumer = open_client(Consumer, config, subscriber_properties(config), watch.on_error)
        self._loop = PollLoop(
            consumer,
            Holdings(topic, config.max_pending, self._assignment),
            self._buffer,
            self._nacked,
            listener,
            config,
            watch,
        )
        self._topic = topic
        self._thread = WorkerThread(f"kafka-poll-{topic}", self._run)
        self._thread.start()

    def _assignment(self, partition: int, epoch: int) -> Assignment:
        return Assignment(self._topic, partition, epoch, wake=self._loop.wake, redeliver=self._nacked.add)

    def _run(self) -> None:
        try:
            self._loop.run()
        except BaseException as error:
            self._buffer.fail(error)
            raise
        self._buffer.close()

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Return the next chunk; see `Subscription.receive`. Raises what the poll thread died of."""
        return self._nacked.take_due() or self._buffer.receive(max_messages, self._nacked.limit(timeout))

    def statistics(self) -> SubscriptionStatistics:
        """Return how far it is: what waits, and what is pending in each partition. Asks no broker; from any thread."""
        return self._loop.statistics()

    def begin_close(self) -> None:
        """Begin to close and return at once, so that several can leave their groups side by side."""
        self._loop.close()

    def close(self) -> None:
        """Commit what is settled and leave the group; returns when that is done, or after 15 seconds."""
        self.begin_close()
        self._thread.join(MONOTONIC.now() + CLOSE_SECONDS)
