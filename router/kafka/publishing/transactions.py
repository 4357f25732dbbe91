"""Sending messages together with the note that they are sent: both are in the topics, or neither is.

One producer with a transactional id per sender. The brokers know the id: a newer sender with the same one ends what an older one
had begun, and the older one can send nothing any more. So whoever opens a sender and then asks what the group has committed
has the last word of everybody before, also of one that was killed.

After a failure the producer is not used again: from what librdkafka 2.16 sends after an abort, Kafka 4.1 answers that sequence
numbers are missing (seen with a message that its topic does not take).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka import Message as Record

from ...clock import MONOTONIC
from ...delivery.message import Message
from ...errors import ConfigurationError, MillstreamError, PermanentError, StateError, TransientError
from ..client import open_client
from ..config import KafkaPublisherConfig
from ..connection import CREDENTIALS, ConnectionWatch
from ..errors import UNAUTHORIZED
from ..lag import Committed
from ..marshaler import headers_of, key_of
from ..properties import Properties, client_properties, publisher_properties
from ..redaction import hide
from .errors import MESSAGE_REFUSED, reason_of
from .steady_producer import PURGED

TIMEOUT_SECONDS = 30.0
"""What a transaction may take. Consumers that read committed records wait behind one that was left open by a process that was
killed: for so long at most, and 10 s more, after which brokers look for such ones."""
SLICE_SECONDS = 1.0
"""How long one call into librdkafka waits; a signal is heard between two of them."""
MIN_BUFFER_MESSAGES, MIN_BUFFER_BYTES = 20_000, 64 * 1024 * 1024
"""So that handing over a transaction never finds the buffer full, whatever a publisher may have: see `send`."""
REFUSALS = UNAUTHORIZED | CREDENTIALS | {KafkaError.GROUP_AUTHORIZATION_FAILED}
FENCED = frozenset({KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH})
MEMBERS = frozenset({KafkaError.UNKNOWN_MEMBER_ID, KafkaError.ILLEGAL_GENERATION, KafkaError.REBALANCE_IN_PROGRESS})
"""What a broker says to a commit from outside where a group has members."""


class Failure(NamedTuple):
    """Why a message did not get to its topic."""

    error: KafkaError
    topic: str
    message: Message
    is_ours: bool = False
    """Whether no broker has seen it."""


class Fenced(MillstreamError):
    """A newer sender with the same transactional id has taken over: what this one had not confirmed is not sent."""


class Refused(MillstreamError):
    """A topic does not take one of the messages, so that none of them is sent; alone, it is the one."""


class NoteTooLong(MillstreamError):
    """The brokers keep no note of that length, so that nothing is sent."""


class TransactionalSender:
    """Sends messages, and commits offsets of a group, in one transaction each. Not for several threads at a time.

    Args:
        config: of the publisher whose messages they could be.
        group: what is committed to; it must have no members.
        transactional_id: the newest sender with it wins.
    """

    def __init__(self, config: KafkaPublisherConfig, group: str, transactional_id: str) -> None:
        self._config = config
        self._group = group
        self._id = transactional_id
        self._watch = ConnectionWatch(config)
        own: Properties = {"group.id": group, "enable.auto.commit": False}
        self._outsider = open_client(Consumer, config, {**client_properties(config), **own}, self._watch.on_error)
        self._producer: Producer | None = None

    def open(self) -> None:
        """End what an older sender has begun, and take its place; blocks for 30 s at most.

        Needed before the first `send`, and after each that has raised: what was known before may be out of date then.

        Raises:
            ConfigurationError: the brokers refuse us.
            TransientError: no answer.
        """
        producer = open_client(Producer, self._config, self._properties(), self._on_error)
        self._insist(producer, producer.init_transactions, MONOTONIC.now() + TIMEOUT_SECONDS)
        self._producer = producer

    def _on_error(self, error: KafkaError) -> None:
        # A fatal one is raised by the next call as well, which says what it is.
        if not error.fatal():
            self._watch.on_error(error)

    def commit_alone(self, topic: str, commits: Mapping[int, Committed]) -> None:
        """Commit outside of any transaction: the brokers refuse it where the group has members.

        They forget what was committed after a time, which begins anew with this.

        Raises:
            ConfigurationError: it has members.
            TransientError: no answer.
        """
        try:
            answer = self._outsider.commit(offsets=_places(topic, commits), asynchronous=False)
            error = next((each.error for each in answer or () if each.error is not None), None)
        except KafkaException as failure:
            error = failure.args[0]
        if error is not None and error.code() in MEMBERS:
            raise ConfigurationError(
                f"group {self._group!r} has members: it is a consumer's own; name another one, or stop them"
            )
        if error is not None:
            raise self._explain(error)

    def send(self, messages: Sequence[tuple[str, Message]], topic: str, commits: Mapping[int, Committed]) -> None:
        """Send *messages*, each to its topic, and commit *commits* of *topic* with them; returns once all of it is confirmed.

        Args:
            messages: at most some thousands, and some megabytes.
            topic: whose offsets are committed.
            commits: offset and note by partition.

        Raises:
            Refused, Fenced, NoteTooLong: see there.
            ConfigurationError: the brokers refuse us.
            TransientError: no answer. Either all of it is done, or nothing: the next sender finds out.
        """
        deadline = MONOTONIC.now() + TIMEOUT_SECONDS
        producer = self._producer
        if producer is None:
            raise StateError("the sender is not open")
        failures: list[Failure] = []
        try:
            producer.begin_transaction()
            self._hand_over(producer, messages, failures)
            # To the last report: the first ones may be of messages that were dropped because of another one.
            while len(producer) and MONOTONIC.now() < deadline:
                producer.flush(SLICE_SECONDS)
            failure = told_most(failures)
            if failure is None:
                self._commit(producer, _places(topic, commits), deadline)
                return
        except BaseException as error:
            self._abort(producer)
            answer = _answer_in(error)
            if answer is None:
                raise
            raise self._explain(answer) from None
        self._abort(producer)
        raise self._failure(failure)

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._producer = None
        self._outsider.close()

    def _hand_over(self, producer: Producer, messages: Sequence[tuple[str, Message]], failures: list[Failure]) -> None:
        for topic, message in messages:

            def on_delivery(
                error: KafkaError | None, _: Record, topic: str = topic, message: Message = message
            ) -> None:
                if error is not None:
                    failures.append(Failure(error, topic, message))

            try:
                producer.produce(
                    topic, message.payload, key_of(message), headers=headers_of(message), on_delivery=on_delivery
                )
            except KafkaException as error:
                failures.append(Failure(error.args[0], topic, message, is_ours=True))
                return
            except PermanentError as error:
                raise Refused(str(error)) from None

    def _commit(self, producer: Producer, places: list[TopicPartition], deadline: float) -> None:
        if places:
            group = self._outsider.consumer_group_metadata()
            self._insist(producer, lambda s: producer.send_offsets_to_transaction(places, group, s), deadline)
        self._insist(producer, producer.commit_transaction, deadline)

    def _insist(self, producer: Producer, call: Callable[[float], Any], deadline: float) -> None:
        """Make *call* again while it may be made again."""
        while True:
            try:
                call(SLICE_SECONDS)
            except Exception as error:
                answer = _answer_in(error)
                if answer is None:
                    raise
                if not answer.retriable() or MONOTONIC.now() >= deadline:
                    raise self._explain(answer) from None
                producer.poll(0)  # takes in what was reported about the connection
                if self._watch.failure is not None:
                    raise self._watch.failure from None
            else:
                return

    def _abort(self, producer: Producer) -> None:
        """Have the brokers drop what was not committed, if they can be told; the next sender does so else."""
        self._producer = None
        with contextlib.suppress(Exception):  # of whatever kind: see `_answer_in`
            producer.abort_transaction(SLICE_SECONDS)

    def _failure(self, failure: Failure) -> MillstreamError:
        error, topic, message, is_ours = failure
        if error.code() in MESSAGE_REFUSED:
            return Refused(reason_of(error, topic, self._config, message, is_ours=is_ours))
        return self._explain(error)

    def _explain(self, error: KafkaError) -> MillstreamError:
        code, text = error.code(), hide(error.str(), self._config.secrets)
        if code in FENCED:
            return Fenced(f"another one has taken over on {self._config.address}")
        if code == KafkaError.OFFSET_METADATA_TOO_LARGE:
            return NoteTooLong(text)
        if code in REFUSALS:
            right = f"it needs to read group {self._group!r} and to write with the transactional id {self._id!r}"
            return ConfigurationError(f"{self._config.address} does not let us work: {text}; {right}")
        return TransientError(f"not confirmed by {self._config.address}: {text}")

    def _properties(self) -> Properties:
        config, milliseconds = self._config, round(TIMEOUT_SECONDS * 1000)
        return {
            **publisher_properties(config),
            "transactional.id": self._id,
            "log_level": 0,  # what ends a transaction is in our own errors
            "transaction.timeout.ms": milliseconds,
            "message.timeout.ms": milliseconds,  # librdkafka wants it to be no more
            "queue.buffering.max.messages": max(config.buffer_messages, MIN_BUFFER_MESSAGES),
            "queue.buffering.max.kbytes": max(config.buffer_bytes, MIN_BUFFER_BYTES) // 1024,
        }


def told_most(failures: Sequence[Failure]) -> Failure | None:
    """Return the failure that says why a transaction cannot be committed; `None`: there is none, or the commit will say.

    Once one message has failed librdkafka drops the others, and reports them in any order.
    """
    refused = [each for each in failures if each.error.code() in MESSAGE_REFUSED]
    others = [each for each in failures if each.error.code() not in PURGED]
    return next(iter([*refused, *others]), None)


def _answer_in(error: object) -> KafkaError | None:
    """Return what a broker or librdkafka has said; `None`: *error* is nothing of theirs.

    confluent-kafka 2.16 raises what is fatal as it is, not in a KafkaException; and as the cause of a SystemError, where a report
    of a delivery comes right behind it.
    """
    found: object = error.__cause__ if isinstance(error, SystemError) else error
    found = found.args[0] if isinstance(found, KafkaException) else found
    return found if isinstance(found, KafkaError) else None


def _places(topic: str, commits: Mapping[int, Committed]) -> list[TopicPartition]:
    return [TopicPartition(topic, partition, each.offset, each.note) for partition, each in commits.items()]
