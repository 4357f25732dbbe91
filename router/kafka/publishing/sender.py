"""Sending the messages of one call: into librdkafka's buffer, with patience where it is full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as Record
from loguru import logger

from ...delivery.message import Message
from ...errors import PermanentError
from ...worker_thread import WorkerThread
from ..config import KafkaPublisherConfig
from ..errors import UNKNOWN_TOPIC
from ..marshaler import headers_of, key_of, misfit_of
from .confirmation import Confirmation
from .errors import UNSENDABLE, reason_of
from .gate import Gate, NotSent, Patience
from .steady_producer import SteadyProducer

REFRESH_SECONDS = 5.0
"""How long the brokers may take to say whether a topic exists."""

OnDelivery = Callable[[Confirmation, int, KafkaError | None, Record], None]
"""Takes the call, the place in it, why it failed, and the record."""


class Sender:
    """Hands messages over. Thread-safe, as the producer is.

    Args:
        config: how long to wait for room.
        producer: takes them.
        gate: says whether anything may be sent, and when there may be room.
        on_delivery: told of each outcome, on the poll thread.
        thread: the poll thread, which must not wait for itself.
    """

    def __init__(
        self,
        config: KafkaPublisherConfig,
        producer: SteadyProducer,
        gate: Gate,
        on_delivery: OnDelivery,
        thread: WorkerThread,
    ) -> None:
        self._config = config
        self._producer = producer
        self._gate = gate
        self._on_delivery = on_delivery
        self._thread = thread

    def send(self, topic: str, messages: Sequence[Message], confirmation: Confirmation) -> None:
        """Send *messages* in order; what cannot be sent is refused in *confirmation* at once."""
        is_refreshed = False
        patience = Patience()
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
            except NotSent as refusal:
                confirmation.refuse(position, str(refusal), refusal.code)
            else:
                if error is None:
                    continue
                if error.code() == KafkaError._FATAL:
                    return  # the poll thread is about to end the call, with the reason
                reason = reason_of(error, topic, self._config, message, is_ours=True)
                confirmation.refuse(position, reason, error.code())

    def _produce(
        self,
        topic: str,
        message: Message,
        on_delivery: Callable[[KafkaError | None, Record], None],
        patience: Patience,
    ) -> KafkaError | None:
        """Hand *message* to librdkafka, once there is room; returns why it does not take it, if so.

        Raises:
            PermanentError: the message has no wire form.
            TypeError, AttributeError, ValueError: neither has it, for the type of something in it.
            NotSent: there was no room in time.
        """
        headers, key, gate = headers_of(message), key_of(message), self._gate
        while True:
            if gate.end is not None:
                raise NotSent("not sent: the publisher was closed first", KafkaError._PURGE_QUEUE)
            polls = gate.polls
            try:
                self._producer.produce(topic, message.payload, key, headers=headers, on_delivery=on_delivery)
            except BufferError:
                pass
            except KafkaException as refusal:
                return refusal.args[0]  # type: ignore[no-any-return] # confluent-kafka's own: always a KafkaError
            else:
                return None
            if self._thread.is_current:
                raise NotSent("not sent: the buffer is full, and on_done cannot wait for room", KafkaError._QUEUE_FULL)
            gate.wait_for_room(polls, patience, self._config.delivery_timeout)

    def _refresh(self, topic: str) -> None:
        try:
            self._producer.list_topics(topic, timeout=REFRESH_SECONDS)
        except KafkaException as error:
            logger.bind(topic=topic, error=error.args[0].name()).debug("no answer on whether the topic exists")
