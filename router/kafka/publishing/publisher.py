"""Sending messages to Kafka: what a user calls, and the life of it. `sender` sends, `report_loop` takes in the outcomes."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger

from ...delivery.message import Message
from ...errors import MillstreamError, StateError
from ...own_process import OwnProcess
from ...worker_thread import WorkerThread
from ..admin import KafkaAdmin
from ..client_config import require_config
from ..config import KafkaPublisherConfig
from ..connection import ConnectionWatch
from ..names import checked_topic
from .confirmation import Confirmation
from .gate import Gate
from .outcomes import Outcomes
from .report_loop import PURGE_SECONDS, ReportLoop
from .sender import Sender
from .steady_producer import SteadyProducer


class KafkaPublisher:
    """Publishes to Kafka: idempotent, confirmed by all replicas in sync, batched across calls. Thread-safe.

    While no broker can be reached, calls wait, and one warning says so; a message fails after `delivery_timeout`. It belongs to
    the process that made it: its thread and its connections do not come along in a fork.

    Raises:
        ConfigurationError: librdkafka refuses a property or cannot read a certificate.

    Example:
        >>> publisher = KafkaPublisher(KafkaPublisherConfig(brokers=["localhost:9092"]))
        >>> poison = PoisonTopic(publisher, "orders-dlq")  # or `publisher.publish("orders", Message(b"1"))`, which waits
        >>> publisher.close()
    """

    def __init__(self, config: KafkaPublisherConfig) -> None:
        require_config("KafkaPublisher", config, KafkaPublisherConfig)
        self.config = config
        self._watch = ConnectionWatch(config)
        self._process = OwnProcess("Kafka publisher")
        self._gate = Gate()
        producer = SteadyProducer(config, {}, self._watch.on_error)
        outcomes = Outcomes(config, self._watch)
        loop = ReportLoop(producer, outcomes, self._gate, self._watch)
        self._thread = WorkerThread(f"kafka-publisher-{config.client_id}", loop.run)
        self._sender = Sender(config, producer, self._gate, outcomes.on_delivery, self._thread)
        self._thread.start()

    @property
    def places(self) -> frozenset[str]:
        """Its brokers; see `Located`."""
        return self.config.places

    def check_topic(self, topic: object) -> None:
        """Raise ConfigurationError unless *topic* may be the name of one; see `ChecksTopics`."""
        checked_topic(topic)

    def find_topic(self, topic: str) -> None:
        """Return where the brokers have *topic*; see `FindsTopics`. Takes three seconds at most.

        Not asked where `properties={"allow.auto.create.topics": True}` lets them make it.

        Raises:
            ConfigurationError: they have not, with the command that creates it; or they refuse us.
            TransientError: no broker answers.
        """
        if str(self.config.properties.get("allow.auto.create.topics", False)).lower() == "false":
            KafkaAdmin(self.config).require_topic(topic)
        else:
            checked_topic(topic)

    def publish(self, topic: str, *messages: Message) -> None:
        """Send *messages*, in order, and return once all are confirmed. Not atomic.

        While nothing is confirmed, blocks for twice `delivery_timeout` at most: for room in the buffer, then for the outcomes,
        for which the time of what is sent again (see `publish_async`) begins anew.

        Raises:
            KafkaPublishError: names the messages that were not confirmed, and why; the others were.
            ConfigurationError: *topic* cannot be a topic's name, or the brokers refuse our credentials or deny us the right
                to write at all.
            StateError: the publisher is closed or was made by another process (make it after the fork), or this is its own
                poll thread, in an `on_done`.
            MillstreamError: the client cannot go on, for instance because the broker has lost track of its sequence of
                messages: open a new one. What is not confirmed may have been written.
        """
        if self._thread.is_current:
            raise StateError("publish in an on_done would wait for its own thread: use publish_async")
        self.publish_async(topic, *messages).result()

    def publish_async(
        self, topic: str, *messages: Message, on_done: Callable[[Confirmation], None] | None = None
    ) -> Confirmation:
        """Send *messages*, in order, and return at once with what will tell their outcome; waits only for room in the buffer.

        The messages of a call stay in order with those of earlier calls of the same thread. Three exceptions are sent again,
        each by itself and in order among themselves, so they follow later: the others of a request that a broker refuses for
        one message in it, a request without an answer whose successor was taken, and what was left in a client that had lost its
        way to the brokers; the last two may have been written already.

        Args:
            topic: where to.
            messages: what to send; must not be changed until they are confirmed.
            on_done: see `Confirmation`.

        Raises:
            ConfigurationError, StateError, MillstreamError: as for `publish`.
        """
        checked_topic(topic)
        self._require_own_process()
        confirmation = Confirmation(topic, messages, on_done)
        self._gate.enter(confirmation)
        try:
            confirmation.start(self._gate.leave)
            self._sender.send(topic, messages, confirmation)
        except BaseException as interruption:
            # Nobody else would end it: close would wait for it in vain.
            reason = f"the call was interrupted by {type(interruption).__name__}: what it sent may have been written"
            confirmation.abort(MillstreamError(reason))
            raise
        return confirmation

    def _require_own_process(self) -> None:
        self._process.require("make the publisher in the child")

    @property
    def error(self) -> BaseException | None:
        """What ended the publisher other than `close`: credentials or rights refused, a fatal error, a dead poll thread."""
        return self._watch.failure or self._thread.error

    @property
    def moved_at(self) -> float:
        """When a message was last confirmed, on the `MONOTONIC` clock in seconds; before the first one, when this was made."""
        return self._gate.moved_at

    def close(self) -> None:
        """Wait up to `close_timeout` for every confirmation, then refuse everything. May be called twice.

        What is not confirmed by then is dropped, and its calls raise `KafkaPublishError`. In a forked child it does nothing.
        """
        if not self._process.is_this:
            return
        closes_at = self._gate.close(self.config.close_timeout)
        if not self._thread.is_current and not self._thread.join(closes_at + 2 * PURGE_SECONDS):
            logger.error("the poll thread of the Kafka publisher does not end: {thread}", thread=self._thread.name)
