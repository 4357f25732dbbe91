"""Sending again, each in a request of its own, what brokers refused with its whole request, or what nobody confirmed.

A broker that finds one message of a request too large, or against the topic's rules, refuses them all and mostly does not say
which it was. Sent alone, only that one is refused.

librdkafka has several requests in flight, and takes the confirmation of a later one for that of an earlier one whose answer was
an error or is missing: a broker that knows the producer would not have taken the later one without the earlier. But a broker
that has never seen it write to the partition takes any. A new topic's broker answers "not leader" for some milliseconds: then
the first messages of a partition are reported as written, and are not. Their reports name no offset, by which they are known.

What is left in a client that has lost its way to the brokers is sent again as well.

A second producer sends all of them, opened when it is first needed: the requests of the first hold whatever other calls are
sending meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Message as Record
from loguru import logger

from ...errors import ConfigurationError, PermanentError
from ..config import KafkaPublisherConfig
from ..marshaler import headers_of, key_of
from ..properties import Properties
from .confirmation import Confirmation
from .errors import UNSENDABLE
from .steady_producer import SteadyProducer

ONE_BY_ONE: Properties = {
    "batch.num.messages": 1,
    "linger.ms": 0,
    "max.in.flight.requests.per.connection": 1,
    "queue.buffering.max.messages": 1000,
}
"""One request in flight: nothing can be inferred from a later one. What waits outside the buffer does not time out yet."""

REFUSED = (
    "Kafka refused a whole request for a message in it: sending such again one by one, which is slow; "
    "max_message_bytes should be at most the max.message.bytes of the topic"
)
INFERRED = "Kafka took a request and gave no answer to the one before: sending what was in that again, as it may not be written"
STALLED = (
    "the messages that a stalled Kafka client had not delivered are sent again one by one; some may have been written"
)

OnDelivery = Callable[[Confirmation, int, KafkaError | None, Record | None], None]
"""Takes the call, the place in it, why it failed, and the record."""


class SingleSends:
    """Sends messages one to a request, in the order in which they were added. For the poll thread only.

    Args:
        config: as for the publisher.
        on_error: hears of the connection.
        on_delivery: told of each outcome.
    """

    def __init__(
        self, config: KafkaPublisherConfig, on_error: Callable[[KafkaError], None], on_delivery: OnDelivery
    ) -> None:
        self._config = config
        self._on_error = on_error
        self._on_delivery = on_delivery
        self._producer: SteadyProducer | None = None
        self._waiting: deque[tuple[Confirmation, int, int]] = deque()
        self._told: set[str] = set()
        """The reasons that the log has heard of."""

    def __len__(self) -> int:
        return len(self._waiting) + (0 if self._producer is None else len(self._producer))

    def add(self, confirmation: Confirmation, position: int, partition: int, reason: str) -> None:
        """Send the message at *position* of a call again, to the same *partition*: there its order was."""
        if reason not in self._told:
            self._told.add(reason)
            logger.bind(topic=confirmation.topic, partition=partition).warning(reason)
        self._waiting.append((confirmation, position, partition))

    def step(self) -> None:
        """Send what there is room for, and take in what has arrived. Returns at once, but for the first, which opens a client.

        Raises:
            KafkaException: the client cannot go on.
        """
        if self._producer is None:
            if not self._waiting:
                return
            self._producer = self._open()
        while self._producer is not None and self._waiting and self._send(self._producer, *self._waiting[0]):
            self._waiting.popleft()
        if self._producer is not None:
            self._producer.poll(0)

    def _open(self) -> SteadyProducer | None:
        try:
            return SteadyProducer(self._config, ONE_BY_ONE, self._on_error)
        except ConfigurationError as error:  # the same settings have opened one before: a token that does not come
            reason = str(error)
        for confirmation, position, _ in self._take_waiting():
            confirmation.refuse(position, f"not confirmed, and not sent again: {reason}", KafkaError._FAIL)
        return None

    def _send(self, producer: SteadyProducer, confirmation: Confirmation, position: int, partition: int) -> bool:
        """Hand one message over; returns False when there is no room."""
        message = confirmation.messages[position]
        on_delivery = partial(self._on_delivery, confirmation, position)
        try:
            headers, key = headers_of(message), key_of(message)
            producer.produce(
                confirmation.topic, message.payload, key, partition, headers=headers, on_delivery=on_delivery
            )
        except BufferError:
            return False
        except KafkaException as refusal:
            self._on_delivery(confirmation, position, refusal.args[0], None)
        except (
            PermanentError,
            TypeError,
            AttributeError,
        ) as refusal:  # changed since, against what `publish_async` says
            confirmation.refuse(position, str(refusal), UNSENDABLE)
        return True

    def let_go(self) -> None:
        """End clients that are stalled; see `SteadyProducer.let_go`."""
        if self._producer is not None:
            self._producer.let_go()

    def purge(self, seconds: float) -> None:
        """Drop what is not confirmed, and wait up to *seconds* for the word on each.

        Raises:
            KafkaException: the client cannot go on.
        """
        for confirmation, position, _ in self._take_waiting():
            self._on_delivery(confirmation, position, KafkaError(KafkaError._PURGE_QUEUE), None)
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(seconds)

    def _take_waiting(self) -> list[tuple[Confirmation, int, int]]:
        taken = list(self._waiting)
        self._waiting.clear()
        return taken
