"""What a Kafka subscriber returns: the receiving side of one consumer, which a thread of its own polls."""

from __future__ import annotations

import math

from confluent_kafka import Consumer

from ..assignment import Assignment
from ..clock import MONOTONIC
from ..errors import UndrainedError
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

CLOSE_SECONDS = 10.0
"""How long leaving the group may take: the last commit and one request to the coordinator."""


class KafkaSubscription:
    """The messages of one topic that one member of a consumer group gets; see `Subscription`.

    Raises:
        ConfigurationError: librdkafka refuses a property.
    """

    def __init__(self, topic: str, config: KafkaSubscriberConfig, listener: AssignmentListener | None) -> None:
        self._buffer = DeliveryBuffer(config.buffer_messages, config.buffer_bytes)
        self._nacked = Nacked(config.nack_resend_delay, self._buffer.wake)
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
        self._closes_at = math.inf
        self._is_told = False
        """Whether somebody was told that it did not close in order."""
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
        deadline = MONOTONIC.now() + timeout
        while True:
            messages = self._nacked.take_due(max_messages)
            if not messages:
                left = max(0.0, deadline - MONOTONIC.now())
                messages = self._buffer.receive(max_messages, self._nacked.limit(left))
            if messages or MONOTONIC.now() >= deadline:
                return messages

    def statistics(self) -> SubscriptionStatistics:
        """Return how far it is: what waits, and what is pending in each partition. Asks no broker; from any thread."""
        return self._loop.statistics()

    @property
    def error(self) -> BaseException | None:
        """What its poll thread died of: while nobody receives, nobody would hear of it."""
        return self._thread.error

    def begin_close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Begin to close and return at once, so that several can leave their groups side by side, in *seconds* altogether."""
        self._closes_at = min(self._closes_at, MONOTONIC.now() + seconds)
        self._loop.close()

    def close(self) -> None:
        """Commit what is settled and leave the group; returns when that is done. May be called twice.

        Raises:
            UndrainedError: it was not done in time, or the commit failed; what it covers is delivered again. The first time only.
        """
        self.begin_close()
        has_left = self._thread.join(self._closes_at)
        is_done = self._thread.error is not None or (has_left and self._loop.is_committed)
        if not is_done and not self._is_told:
            self._is_told = True
            raise UndrainedError([self._thread.name], CLOSE_SECONDS)
