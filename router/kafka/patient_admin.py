"""An admin client whose answers are waited for in slices: credentials that are refused are told of beside them only."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from ..clock import MONOTONIC
from ..errors import ConfigurationError, MillstreamError, TransientError
from .client import open_client
from .client_config import KafkaClientConfig
from .connection import ConnectionWatch
from .properties import client_properties
from .redaction import hide

LOOK_AGAIN_SECONDS = 0.05
"""Between looks for a topic that was just created: the brokers tell each other within a few of these."""
FIRST_SLICE_SECONDS = 0.25
"""How long the first wait for an answer is; refused credentials are reported beside it, and looked for between two waits.
Each wait is twice as long as the one before, so that a slow answer is not asked for again and again in vain."""
UNREACHABLE = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_CONTROLLER,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
    }
)
"""What passes by itself: no broker, or one that is changing its part in the cluster."""

Answer = TypeVar("Answer")


class PatientAdmin:
    """Waits for answers, until they come or we are refused. Not for several threads at a time."""

    def __init__(self, config: KafkaClientConfig) -> None:
        self._config = config
        self._watch = ConnectionWatch(config)
        self.client = open_client(AdminClient, config, client_properties(config), self._watch.on_error)

    @property
    def outage(self) -> str:
        """Why no broker can be reached; empty while one can, or nobody knows."""
        self.client.poll(0)
        return self._watch.outage

    def wait(self, answer: Future[Answer]) -> Answer:
        """Return *answer*, which has a time limit of its own, once it is there; ends when we are refused."""
        while True:
            try:
                return answer.result(FIRST_SLICE_SECONDS)
            except NotYet:
                self._raise_refusal()

    def ask(self, question: Callable[[float], Answer], timeout: float) -> Answer:
        """Return the answer to *question*, which takes how long to wait for it, or end when we are refused.

        Raises:
            KafkaException: no answer within *timeout*, or an error for one.
        """
        deadline = MONOTONIC.now() + timeout
        seconds = FIRST_SLICE_SECONDS
        while True:
            left = deadline - MONOTONIC.now()
            try:
                return question(max(LOOK_AGAIN_SECONDS, min(seconds, left)))
            except KafkaException as error:
                if error.args[0].code() not in UNREACHABLE or left <= seconds:
                    raise
            self._raise_refusal()
            seconds *= 2

    def _raise_refusal(self) -> None:
        self.client.poll(0)  # takes in what was reported about the connection
        if self._watch.failure is not None:
            raise copy.copy(self._watch.failure)

    def explain(self, what: str, error: KafkaError, refusals: Collection[int] | None = None) -> MillstreamError:
        """Return *error* as one of ours; a refusal of our credentials comes before it.

        Args:
            what: what cannot be done.
            refusals: the codes that waiting does not mend; `None`: all but those of brokers that are away or change their part.
        """
        self.client.poll(0)
        if isinstance(self._watch.failure, ConfigurationError):
            return copy.copy(self._watch.failure)
        reason = f"{what} on {self._config.address}: {hide(error.str(), self._config.secrets)}"
        passes = error.code() in UNREACHABLE if refusals is None else error.code() not in refusals
        return TransientError(reason) if passes else ConfigurationError(reason)
