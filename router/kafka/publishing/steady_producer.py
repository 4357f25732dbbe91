"""A producer that is replaced when it has lost its way to the brokers; see `stall`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

from confluent_kafka import KafkaError, KafkaException, Producer
from loguru import logger

from ...clock import MONOTONIC
from ...errors import ConfigurationError
from ...worker_thread import WorkerThread
from ..client import open_client
from ..config import KafkaPublisherConfig
from ..properties import Properties, publisher_properties
from ..stall import StallWatch

RETIRED_SECONDS = 60.0
"""How long a stalled producer is polled on: a thread that was about to hand it a message has done so long before."""
PURGED = frozenset({KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
"""What a message is reported with that was still in a stalled producer; in flight, it may have been written."""


class SteadyProducer:
    """What is needed of a `Producer`. For the poll thread only, but for `produce` and `list_topics`.

    Args:
        config: of the publisher.
        overrides: properties of this producer that differ from the publisher's.
        on_error: hears of the connection.

    Raises:
        ConfigurationError: librdkafka refuses a property or cannot read a certificate.
    """

    def __init__(
        self, config: KafkaPublisherConfig, overrides: Properties, on_error: Callable[[KafkaError], None]
    ) -> None:
        self._config = config
        self._overrides = overrides
        self._on_error = on_error
        self._log = logger.bind(client=config.client_id, brokers=config.address)
        self._retired: list[tuple[Producer, float]] = []
        """Stalled ones, and until when they are polled."""
        self._listening: list[StallWatch] = []
        """The one of the producer whose errors are news."""
        self._open()

    def _open(self) -> None:
        # The callbacks must not refer to us: a cycle would leave the end of the producer to the garbage collector.
        open_producer = partial(_open_producer, self._config, self._overrides)
        told, listening = self._on_error, self._listening
        stall = StallWatch(lambda: open_producer(lambda _: None))

        def on_error(error: KafkaError) -> None:
            if listening[0] is stall:
                told(error)

        self._producer: Producer = open_producer(on_error, stall.on_statistics)
        self._stall = stall
        listening[:] = [stall]
        self.produce = self._producer.produce
        """As in `Producer`; from any thread."""

    def __len__(self) -> int:
        return sum(map(len, self._all()))

    def list_topics(self, topic: str, timeout: float) -> None:
        """Ask a broker for *topic*; from any thread. Raises KafkaException without an answer in *timeout* seconds."""
        self._producer.list_topics(topic, timeout)

    def poll(self, seconds: float) -> int:
        """Take in delivery reports, as a `Producer` does; what a stalled producer had is reported as `PURGED`."""
        served = self._producer.poll(seconds)
        if self._stall.is_cut_off:
            self._look_for_stall(MONOTONIC.now())
        if self._retired:
            served += self._poll_retired()
            self._let_oldest_go()
        return served

    def let_go(self) -> None:
        """End the stalled ones, on a thread of its own: it may take seconds."""
        if self._retired:
            over, self._retired = self._retired, []
            WorkerThread("kafka-abandoned", over.clear).start()

    def purge(self) -> None:
        """Drop what is not delivered; `flush` reports it."""
        for each in self._all():
            each.purge()

    def flush(self, seconds: float) -> None:
        """Wait for the reports of everything, up to *seconds* for each client."""
        for each in self._all():
            each.flush(seconds)

    def _all(self) -> list[Producer]:
        return [self._producer, *(retired for retired, _ in self._retired)]

    def _look_for_stall(self, now: float) -> None:
        if not len(self._producer):
            self._stall.forget()  # it may have lost its connection because nobody needed it
        elif self._stall.is_stalled(self._producer, now):
            self._replace(now)

    def _replace(self, now: float) -> None:
        stalled = self._producer
        try:
            self._open()
        except ConfigurationError as error:  # the same settings have opened one before: a token that does not come
            self._log.warning("the Kafka client is stalled and cannot be replaced yet: {reason}", reason=str(error))
            return
        self._log.warning("the Kafka client reaches no broker while others do: going on with a new one")
        self._retired.append((stalled, now + RETIRED_SECONDS))

    def _poll_retired(self) -> int:
        served = 0
        for retired, _ in self._retired:
            if len(retired):
                retired.purge(blocking=False)
            with contextlib.suppress(KafkaException):  # an end of its own that is none of ours
                served += retired.poll(0)
        return served

    def _let_oldest_go(self) -> None:
        stalled, until = self._retired[0]
        if MONOTONIC.now() >= until and not len(stalled):
            del stalled
            over, self._retired = self._retired[:1], self._retired[1:]
            WorkerThread("kafka-abandoned", over.clear).start()


def _open_producer(
    config: KafkaPublisherConfig,
    overrides: Properties,
    on_error: Callable[[KafkaError], None],
    on_statistics: Callable[[str], None] | None = None,
) -> Producer:
    return open_client(Producer, config, {**publisher_properties(config), **overrides}, on_error, on_statistics)
