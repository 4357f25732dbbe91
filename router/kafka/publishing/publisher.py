"""Sending messages to Kafka.

One poll thread per publisher takes in the delivery reports; nobody else polls the producer, so reports are counted without
a race and a report that is late finds somebody at home. It ends when the publisher has closed and every call has its outcome,
when the close timeout is over (what is left is purged and reported), or when brokers refuse us; and should it die, every
waiting call is told.
"""

from __future__ import annotations

import copy
import os
import re
import threading
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as Record
from loguru import logger

from ...clock import MONOTONIC
from ...delivery.message import Message
from ...errors import ConfigurationError, MillstreamError, PermanentError, StateError
from ...worker_thread import WorkerThread
from ..config import KafkaPublisherConfig
from ..connection import ConnectionWatch
from ..errors import BATCH_REFUSED, UNKNOWN_TOPIC, UNSENDABLE, reason_of
from ..marshaler import headers_of, key_of, misfit_of
from ..stall import EVERYWHERE
from .confirmation import Confirmation
from .single_sends import INFERRED, REFUSED, STALLED, SingleSends
from .steady_producer import PURGED, SteadyProducer

POLL_SECONDS = 0.05
"""How late a close may be noticed; a delivery report ends the poll at once."""
BUSY_POLL_SECONDS = 0.005
"""The same while messages are sent one by one, whose reports end no poll."""
LOOK_SECONDS = 0.5
"""Between looks whether our credentials work, until something has."""
ANSWER_SECONDS = 0.1
"""How long such a look may keep delivery reports waiting, where nobody answers; an answer takes milliseconds."""
REFRESH_SECONDS = 5.0
"""How long the brokers may take to say whether a topic exists."""
PURGE_SECONDS = 1.0
"""How long the reports of purged messages may take; they come from inside the process."""
NO_PARTITION = -1
"""Leaves the choice to the partitioner."""
TOPIC_NAME = re.compile(r"(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}")


class _NotSent(Exception):
    """A message never got into the buffer.

    Args:
        code: of `KafkaError`.
    """

    def __init__(self, reason: str, code: int) -> None:
        self.code = code
        super().__init__(reason)


class _Patience:
    """How long one call has waited for room; shared by its messages, so that a call has one deadline and not one for each."""

    __slots__ = ("since",)

    def __init__(self) -> None:
        self.since: float | None = None


class KafkaPublisher:
    """Publishes to Kafka: idempotent, confirmed by all replicas in sync, batched across calls. Thread-safe.

    While no broker can be reached, calls wait, and one warning says so; a message fails after `delivery_timeout`. It belongs to
    the process that made it: its thread and its connections do not come along in a fork.

    Raises:
        ConfigurationError: librdkafka refuses a property or cannot read a certificate.
    """

    def __init__(self, config: KafkaPublisherConfig) -> None:
        self.config = config
        self._watch = ConnectionWatch(config)
        self._producer = SteadyProducer(config, {}, self._watch.on_error)
        self._singles = SingleSends(config, self._watch.on_error, self._settle)
        self._process = os.getpid()
        self._condition = threading.Condition()
        self._outstanding: set[Confirmation] = set()
        self._polls = 0
        """Polls that took in something: room may have been made."""
        self._is_moving = False
        """Whether something was confirmed since the poll thread last noted the time of it."""
        self._moved_at = MONOTONIC.now()
        self._closes_at: float | None = None
        self._is_purging = False
        """Whether what is purged is given up; else a stalled client had it."""
        self._end: MillstreamError | None = None
        """Why nothing is sent any more."""
        self._thread = WorkerThread(f"kafka-publisher-{config.client_id}", self._run)
        self._thread.start()

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
        if not TOPIC_NAME.fullmatch(topic):
            raise ConfigurationError(f"{topic!r} cannot be the name of a Kafka topic")
        self._require_own_process()
        confirmation = Confirmation(topic, messages, on_done)
        with self._condition:
            self._require_open()
            self._outstanding.add(confirmation)
        try:
            confirmation.start(self._forget)
            self._send(topic, messages, confirmation)
        except BaseException as interruption:
            # Nobody else would end it: close would wait for it in vain.
            reason = f"the call was interrupted by {type(interruption).__name__}: what it sent may have been written"
            confirmation.abort(MillstreamError(reason))
            raise
        return confirmation

    def _send(self, topic: str, messages: tuple[Message, ...], confirmation: Confirmation) -> None:
        is_refreshed = False
        patience = _Patience()
        for position, message in enumerate(messages):
            try:
                error = self._produce(topic, message, partial(self._on_delivery, confirmation, position), patience)
                if error is not None and error.code() in UNKNOWN_TOPIC and not is_refreshed:
                    # librdkafka remembers for minutes that a topic is missing; it may have been created since.
                    is_refreshed = True
                    self._refresh(topic)
                    error = self._produce(topic, message, partial(self._on_delivery, confirmation, position), patience)
            except PermanentError as refusal:
                confirmation.refuse(position, str(refusal), UNSENDABLE)
            except (TypeError, AttributeError, ValueError) as refusal:
                confirmation.refuse(position, f"it cannot be sent: {misfit_of(message) or refusal}", UNSENDABLE)
            except _NotSent as refusal:
                confirmation.refuse(position, str(refusal), refusal.code)
            else:
                if error is None:
                    continue
                if error.code() == KafkaError._FATAL:
                    return  # the poll thread is about to end the call, with the reason
                confirmation.refuse(position, reason_of(error, topic, self.config), error.code())

    def _produce(
        self,
        topic: str,
        message: Message,
        on_delivery: Callable[[KafkaError | None, Record], None],
        patience: _Patience,
    ) -> KafkaError | None:
        """Hand *message* to librdkafka, once there is room; returns why it does not take it, if so.

        Raises:
            PermanentError: the message has no wire form.
            TypeError, AttributeError, ValueError: neither has it, for the type of something in it.
            _NotSent: there was no room in time.
        """
        headers, key = headers_of(message), key_of(message)
        while True:
            if self._end is not None:
                raise _NotSent("not sent: the publisher was closed first", KafkaError._PURGE_QUEUE)
            polls = self._polls
            try:
                self._producer.produce(topic, message.payload, key, headers=headers, on_delivery=on_delivery)
            except BufferError:
                pass
            except KafkaException as refusal:
                return refusal.args[0]  # type: ignore[no-any-return] # confluent-kafka's own: always a KafkaError
            else:
                return None
            self._wait_for_room(polls, patience)

    def _wait_for_room(self, polls: int, patience: _Patience) -> None:
        if self._thread.is_current:
            raise _NotSent("not sent: the buffer is full, and on_done cannot wait for room", KafkaError._QUEUE_FULL)
        if patience.since is None:
            patience.since = MONOTONIC.now()
        seconds = self.config.delivery_timeout
        with self._condition:
            while self._polls == polls:
                if self._end is not None or self._closes_at is not None:
                    reason = "not sent: the publisher was closed while the buffer was full"
                    raise _NotSent(reason, KafkaError._PURGE_QUEUE)
                # As long as anything is confirmed, a call that is larger than the buffer is getting on.
                deadline = max(patience.since, self._moved_at) + seconds
                if MONOTONIC.now() >= deadline:
                    reason = f"not sent: the buffer was full, and nothing confirmed for {seconds:g} s"
                    raise _NotSent(reason, KafkaError._QUEUE_FULL)
                MONOTONIC.wait_until(self._condition, deadline)

    def _refresh(self, topic: str) -> None:
        try:
            self._producer.list_topics(topic, timeout=REFRESH_SECONDS)
        except KafkaException as error:
            logger.bind(topic=topic, error=error.args[0].name()).debug("no answer on whether the topic exists")

    def _on_delivery(self, confirmation: Confirmation, position: int, error: KafkaError | None, record: Record) -> None:
        if error is None:
            if record.offset() is None:  # no answer named it: librdkafka inferred from a later one that it was written
                self._singles.add(confirmation, position, _partition_of(record), INFERRED)
                return
        elif error.code() in BATCH_REFUSED:
            self._watch.on_login()
            self._singles.add(confirmation, position, _partition_of(record), REFUSED)
            return
        self._settle(confirmation, position, error, record)

    def _settle(
        self, confirmation: Confirmation, position: int, error: KafkaError | None, record: Record | None = None
    ) -> None:
        if error is None:
            self._is_moving = True
            if not self._watch.is_in_contact:
                self._watch.on_contact()
            confirmation.confirm()
            return
        if error.code() in PURGED and not self._is_purging and record is not None:
            self._singles.add(confirmation, position, _partition_of(record), STALLED)
            return
        if error.code() > 0:  # a broker's own; what librdkafka says itself is negative
            self._watch.on_login()
        reason = reason_of(error, confirmation.topic, self.config)
        outage = self._watch.outage
        text = f"{reason}; no broker can be reached: {outage}" if outage else reason
        confirmation.refuse(position, text, error.code())

    def _forget(self, confirmation: Confirmation) -> None:
        with self._condition:
            self._outstanding.discard(confirmation)

    def _require_own_process(self) -> None:
        if os.getpid() != self._process:
            raise StateError(
                f"the Kafka publisher was made in process {self._process} and cannot work in process {os.getpid()}: its thread "
                "and connections did not come along in the fork; make the publisher in the child"
            )

    def _require_open(self) -> None:
        if self._end is not None:
            raise copy.copy(self._end)  # one object for all would gather their frames
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
        next_look = MONOTONIC.now() + LOOK_SECONDS
        while self._watch.failure is None:
            self._poll(BUSY_POLL_SECONDS if self._singles else POLL_SECONDS)
            if not self._watch.has_logged_in and MONOTONIC.now() >= next_look:
                self._look_for_contact()
                next_look = MONOTONIC.now() + LOOK_SECONDS
            with self._condition:
                closes_at = self._closes_at
                if closes_at is not None and not self._outstanding:
                    return
            if closes_at is not None and MONOTONIC.now() >= closes_at:
                logger.bind(messages=len(self._producer) + len(self._singles)).error(
                    "Kafka publisher closes with messages not confirmed"
                )
                self._purge()
                return

    def _poll(self, seconds: float) -> None:
        try:
            served = self._producer.poll(seconds)
            self._singles.step()
        except KafkaException as error:  # this is how confluent-kafka tells of what is fatal
            self._watch.on_raised(error.args[0])
            return
        if served:
            with self._condition:
                self._polls += 1
                if self._is_moving:
                    self._is_moving = False
                    self._moved_at = MONOTONIC.now()
                self._condition.notify_all()

    def _look_for_contact(self) -> None:
        """Ask anything: credentials that have once worked and are refused later are an outage, also before the first message."""
        try:
            self._producer.list_topics(EVERYWHERE, timeout=ANSWER_SECONDS)
        except KafkaException:
            return  # who refuses us, or why nobody answers, is said elsewhere
        self._watch.on_contact()

    def _purge(self) -> None:
        """Drop what is not confirmed; each message is reported with the reason."""
        self._is_purging = True
        try:
            self._producer.purge()
            self._producer.flush(PURGE_SECONDS)
            self._singles.purge(PURGE_SECONDS)
        except KafkaException as error:
            self._watch.on_raised(error.args[0])

    def _stop(self, end: MillstreamError) -> None:
        """Refuse everything from now on, and end every call that still waits."""
        with self._condition:
            self._end = end
            outstanding = list(self._outstanding)
            self._condition.notify_all()
        for confirmation in outstanding:
            confirmation.abort(end)
        self._producer.purge()
        self._producer.let_go()
        self._singles.let_go()

    @property
    def error(self) -> BaseException | None:
        """What ended the publisher other than `close`: credentials or rights refused, a fatal error, a dead poll thread."""
        return self._watch.failure or self._thread.error

    def close(self) -> None:
        """Wait up to `close_timeout` for every confirmation, then refuse everything. May be called twice.

        What is not confirmed by then is dropped, and its calls raise `KafkaPublishError`. In a forked child it does nothing.
        """
        if os.getpid() != self._process:
            return
        with self._condition:
            if self._closes_at is None:
                self._closes_at = MONOTONIC.now() + self.config.close_timeout
            closes_at = self._closes_at
            self._condition.notify_all()
        if not self._thread.is_current and not self._thread.join(closes_at + 2 * PURGE_SECONDS):
            logger.bind(thread=self._thread.name).error("the poll thread of the Kafka publisher does not end")


def _partition_of(record: Record) -> int:
    """Return the partition that *record* was meant for; none was chosen while its topic has no leader."""
    partition = record.partition()
    return NO_PARTITION if partition is None else partition
