"""Asking whether brokers answer, also with a new client on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from confluent_kafka import KafkaException
from loguru import logger

from ..errors import ConfigurationError
from ..worker_thread import WorkerThread

PROBE_SECONDS = 5.0
"""How long another client has, its connection and log-in included."""
EVERYWHERE = "__consumer_offsets"
"""A topic of nearly every cluster: a question for all topics may have an answer of megabytes, and the name of none makes none."""


class Asking(Protocol):
    """What consumers, producers and admin clients have in common."""

    def list_topics(self, topic: str, timeout: float) -> object:
        """Ask a broker; raises KafkaException without an answer in *timeout* seconds."""


class Probe:
    """Asks the brokers once with a new client."""

    def __init__(self, open_another: Callable[[], Asking], now: float) -> None:
        self.since = now
        self.is_answered = False
        self._open_another = open_another
        self._thread = WorkerThread("kafka-probe", self._ask)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether `is_answered` is final."""
        return not self._thread.is_alive

    def _ask(self) -> None:
        try:
            self.is_answered = has_answer(self._open_another(), PROBE_SECONDS)
        except ConfigurationError as error:  # the same settings have opened one before: a token that does not come
            logger.bind(reason=str(error)).debug("no second Kafka client to ask with")


def has_answer(client: Asking, seconds: float) -> bool:
    """Ask with *client*; returns whether a broker answered within *seconds*."""
    try:
        client.list_topics(EVERYWHERE, seconds)
    except KafkaException:
        return False
    return True
