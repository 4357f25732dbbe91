"""Sending messages to Kafka.

One poll thread per publisher takes in the delivery reports; nobody else polls the producer, so reports are counted without
a race and a report that is late finds somebody at home. It ends when the publisher has closed and every call has its outcome,
when the close timeout is over (what is left is purged and reported), or when brokers refuse us; and should it die, every
waiting call is told.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as Record
from loguru import logger

from ..clock import MONOTONIC
from ..errors import ConfigurationError, MillstreamError, PermanentError, StateError
from ..message import Message
from ..worker_thread import WorkerThread
from .client import open_client
from .config import KafkaPublisherConfig
from .confirmation import Confirmation
from .connection import ConnectionWatch
from .errors import UNKNOWN_TOPIC, reason_of
from .marshaler import headers_of, key_of
from .properties import publisher_properties

POLL_SECONDS = 0.05
"""How late a close may be noticed; a delivery report ends the poll at once."""
REFRESH_SECONDS = 5.0
"""How long the brokers may take to say whether a topic exists."""
PURGE_SECONDS = 1.0
"""How long the reports of purged messages may take; they come from inside the process."""
TOPIC_NAME = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}")


class KafkaPublisher:
    """Publishes to Kafka: idempotent, confirmed by all replicas in sync, batched across calls. Thread-safe.

    While no broker can be reached, calls wait, and one warning says so; a message fails after `delivery_timeout`.

    Raises:
        ConfigurationError: librdkafka refuses a property or cannot read a certificate.
    """

    def __init__(self, config: KafkaPublisherConfig) -> None:
        self.config = config
        self._watch = ConnectionWatch(config)
        self._producer = open_client(Producer, config, publisher_properties(config), self._watch.on_error)
        self._condition = threading.Condition()
        self._outstanding: set[Confirmation] = set()
        self._polls = 0
        """Polls that took in something: room may have been made."""
        self._closes_at: float | None = None
        self._end: MillstreamError | None = None
        """Why nothing is sent any more."""
        self._thread = WorkerThread(f"kafka-publisher-{config.client_id}", self._run)
        self._thread.start()

    def publish(self, topic: str, *messages: Message) -> None:
        """Send *messages*, in order, and return once all are confirmed. Not atomic.

        Blocks while no broker can be reached, for `delivery_timeout` at most.

        Raises:
            KafkaPublishError: names the messages that were not confirmed, and why; the others were.
            ConfigurationError: *topic* cannot be a topic's name, or the brokers refuse our credentials.
            StateError: the publisher is closed, or this is its own poll thread, in an `on_done`.
        """
        if self._thread.is_current:
            raise StateError("publish in an on_done would wait for its own thread: use publish_async")
        self.publish_async(topic, *messages).result()

    def publish_async(
        self, topic: str, *messages: Message, on_done: Callable[[Confirmation], None] | None = None
    ) -> Confirmation:
        """Send *messages*, in order, and return at once with what will tell their outcome; waits only for room in the buffer.

        The messages of a call stay in order with those of earlier calls of the same thread.

        Args:
            topic: where to.
            messages: what to send; must not be changed until they are confirmed.
            on_done: see `Confirmation`.

        Raises:
            ConfigurationError, StateError: as for `publish`.
        """
        if not TOPIC_NAME.fullmatch(topic):
            raise ConfigurationError(f"{topic!r} cannot be the name of a Kafka topic")
        confirmation = Confirmation(topic, messages, on_done)
        with self._condition:
            self._require_open()
            self._outstanding.add(confirmation)
        confirmation.start(self._forget)
        self._send(topic, messages, confirmation)
        return confirmation

    def _send(self, topic: str, messages: tuple[Message, ...], confirmation: Confirmation) -> None:
        is_refreshed = False
        for position, message in enumerate(messages):
            try:
                error = self._produce(topic, message, partial(self._on_delivery, confirmation, position))
                if error is not None and error.code() in UNKNOWN_TOPIC and not is_refreshed:
                    # librdkafka remembers for minutes that a topic is missing; it may have been created since.
                    is_refreshed = True
                    self._refresh(topic)
                    error = self._produce(topic, message, partial(self._on_delivery, confirmation, position))
            except (PermanentError, BufferError) as refusal:
                confirmation.report(position, str(refusal))
            else:
                if error is not None:
                    confirmation.report(position, reason_of(error, topic, self.config))

    def _produce(
        self, topic: str, message: Message, on_delivery: Callable[[KafkaError | None, Record], None]
    ) -> KafkaError | None:
        """Hand *message* to librdkafka, once there is room; returns why it does not take it, if so.

        Raises:
            PermanentError: the message has no wire form.
            BufferError: there was no room in time.
        """
        headers, key = headers_of(message), key_of(message)
        gives_up_at: float | None = None
        while True:
            if self._end is not None:
                raise BufferError("not sent: the publisher was closed first")
            polls = self._polls
            try:
                self._producer.produce(topic, message.payload, key, headers=headers, on_delivery=on_delivery)
            except BufferError:
                if gives_up_at is None:
                    gives_up_at = MONOTONIC.now() + self.config.delivery_timeout
                self._wait_for_room(polls, gives_up_at)
            except KafkaException as refusal:
                return refusal.args[0]  # type: ignore[no-any-return] # confluent-kafka's own: always a KafkaError
            else:
                return None

    def _wait_for_room(self, polls: int, deadline: float) -> None:
        if self._thread.is_current:
            raise BufferError("not sent: the buffer is full, and on_done cannot wait for room")
        with self._condition:
            while self._polls == polls:
                if self._end is not None or self._closes_at is not None:
                    raise BufferError("not sent: the publisher was closed while the buffer was full")
                if MONOTONIC.now() >= deadline:
                    raise BufferError(f"not sent: the buffer was full for {self.config.delivery_timeout:g} s")
                MONOTONIC.wait_until(self._condition, deadline)

    def _refresh(self, topic: str) -> None:
        try:
            self._producer.list_topics(topic, timeout=REFRESH_SECONDS)
        except KafkaException as error:
            logger.bind(topic=topic, error=error.args[0].name()).debug("no answer on whether the topic exists")

    def _on_delivery(self, confirmation: Confirmation, position: int, error: KafkaError | None, record: Record) -> None:
        if error is not None:
            reason = reason_of(error, confirmation.topic, self.config)
            outage = self._watch.outage
            confirmation.report(position, f"{reason}; no broker can be reached: {outage}" if outage else reason)
            return
        if not self._watch.is_in_contact:
            self._watch.on_contact()
        confirmation.report(position, None)

    def _forget(self, confirmation: Confirmation) -> None:
        with self._condition:
            self._outstanding.discard(confirmation)

    def _require_open(self) -> None:
        if self._end is not None:
            raise self._end
        if self._closes_at is not None:
            raise StateError("the Kafka publisher is closed")

    def _run(self) -> None:
        end: MillstreamError = StateError("the poll thread of the Kafka publisher died")
        try:
            self._poll_until_closed()
            end = self._watch.failure or StateError("the Kafka publisher is closed")
        finally:
            self._stop(end)

    def _poll_until_closed(self) -> None:
        while self._watch.failure is None:
            self._poll(POLL_SECONDS)
            with self._condition:
                closes_at = self._closes_at
                if closes_at is not None and not self._outstanding:
                    return
            if closes_at is not None and MONOTONIC.now() >= closes_at:
                logger.bind(messages=len(self._producer)).error("Kafka publisher closes with messages not confirmed")
                self._purge()
                return

    def _poll(self, seconds: float) -> None:
        if self._producer.poll(seconds):
            with self._condition:
                self._polls += 1
                self._condition.notify_all()

    def _purge(self) -> None:
        """Drop what is not confirmed; each message is reported with the reason."""
        self._producer.purge()
        self._producer.flush(PURGE_SECONDS)

    def _stop(self, end: MillstreamError) -> None:
        """Refuse everything from now on, and end every call that still waits."""
        with self._condition:
            self._end = end
            outstanding = list(self._outstanding)
            self._condition.notify_all()
        for confirmation in outstanding:
            confirmation.abort(end)
        self._producer.purge()

    @property
    def error(self) -> BaseException | None:
        """What ended the publisher other than `close`: credentials that are refused, a poll thread that died."""
        return self._watch.failure or self._thread.error

    def close(self) -> None:
        """Wait up to `close_timeout` for every confirmation, then refuse everything. May be called twice.

        What is not confirmed by then is dropped, and its calls raise `KafkaPublishError`.
        """
        with self._condition:
            if self._closes_at is None:
                self._closes_at = MONOTONIC.now() + self.config.close_timeout
            closes_at = self._closes_at
            self._condition.notify_all()
        if not self._thread.is_current and not self._thread.join(closes_at + 2 * PURGE_SECONDS):
            logger.bind(thread=self._thread.name).error("the poll thread of the Kafka publisher does not end")
