"""Making topics, and asking for them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined] # its stubs leave the second out
from confluent_kafka.cimpl import NewTopic

from ..clock import MONOTONIC
from ..errors import ConfigurationError, MillstreamError, TransientError
from .client import open_client
from .config import KafkaClientConfig
from .connection import ConnectionWatch
from .errors import UNKNOWN_TOPIC
from .properties import client_properties
from .redaction import hide

LOOK_AGAIN_SECONDS = 0.05
"""Between looks for a topic that was just created: the brokers tell each other within a few of these."""
BROKER_DEFAULT = -1
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
NOT_READY = UNREACHABLE | UNKNOWN_TOPIC | {KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH}
"""What the leader of a new partition says before it knows that it is the one."""

Answer = TypeVar("Answer")


class KafkaAdmin:
    """Creates topics and looks at them. Not for several threads at a time; keeps no thread of its own to close."""

    def __init__(self, config: KafkaClientConfig) -> None:
        self._config = config
        self._watch = ConnectionWatch(config)
        self._client = open_client(AdminClient, config, client_properties(config), self._watch.on_error)

    def create_topic(
        self,
        topic: str,
        *,
        partitions: int,
        replication_factor: int = BROKER_DEFAULT,
        settings: Mapping[str, str] | None = None,
        timeout: float = 30.0,
    ) -> bool:
        """Create *topic* and wait until it takes records; returns False if it was there already, whatever its shape.

        Args:
            topic: its name.
            partitions: how many; can be raised later, never lowered.
            replication_factor: copies of each partition; by default what the broker is set to.
            settings: topic settings such as `retention.ms`.
            timeout: seconds for all of it.

        Raises:
            ConfigurationError: the brokers, or the client already, refuse it: a bad name, number or setting, no right to, wrong
                credentials.
            TransientError: no answer within *timeout*.
        """
        deadline = MONOTONIC.now() + timeout
        what = f"topic {topic!r} cannot be created"
        try:
            request = NewTopic(topic, partitions, replication_factor, config=dict(settings or {}))
            answers = self._client.create_topics([request], operation_timeout=timeout, request_timeout=timeout)
            self._wait(answers[topic])
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise self._explain(what, error.args[0]) from None
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigurationError(f"{what}: {error}") from None
        while not self.is_ready(topic, max(LOOK_AGAIN_SECONDS, deadline - MONOTONIC.now())):
            if MONOTONIC.now() >= deadline:
                raise TransientError(f"topic {topic!r} was created but takes no records after {timeout:g} s")
            self._client.poll(LOOK_AGAIN_SECONDS)
        return True

    def is_ready(self, topic: str, timeout: float = 10.0) -> bool:
        """Return whether every partition of *topic* has a leader at work.

        Brokers name the leaders of a new topic some milliseconds before these take records or tell offsets.

        Raises:
            ConfigurationError: as for `create_topic`.
        """
        deadline = MONOTONIC.now() + timeout
        try:
            count = self.count_partitions(topic, timeout) or 0
            left = max(LOOK_AGAIN_SECONDS, deadline - MONOTONIC.now())
            beginning = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
            asked = {TopicPartition(topic, partition): beginning for partition in range(count)}
            for answer in self._client.list_offsets(asked, request_timeout=left).values():
                self._wait(answer)
        except TransientError:
            return False
        except KafkaException as error:
            if error.args[0].code() in NOT_READY:
                return False
            raise self._explain(f"topic {topic!r} cannot be looked at", error.args[0]) from None
        return count > 0

    def count_partitions(self, topic: str, timeout: float = 10.0) -> int | None:
        """Return how many partitions *topic* has, `None` if there is no such topic.

        Raises:
            ConfigurationError, TransientError: as for `create_topic`.
        """
        try:
            found = self._ask(lambda seconds: self._client.list_topics(topic, timeout=seconds), timeout).topics[topic]
        except KafkaException as error:
            raise self._explain(f"topic {topic!r} cannot be looked at", error.args[0]) from None
        if found.error is None:
            return len(found.partitions)
        if found.error.code() in UNKNOWN_TOPIC:
            return None
        raise self._explain(f"topic {topic!r} cannot be looked at", found.error)

    def _wait(self, answer: Future[Answer]) -> None:
        """Wait for *answer*, which has a time limit of its own, or until we are refused."""
        while True:
            try:
                answer.result(FIRST_SLICE_SECONDS)
            except NotYet:
                self._raise_refusal()
            else:
                return

    def _ask(self, question: Callable[[float], Answer], timeout: float) -> Answer:
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
        self._client.poll(0)  # takes in what was reported about the connection
        if self._watch.failure is not None:
            raise copy.copy(self._watch.failure)

    def _explain(self, what: str, error: KafkaError) -> MillstreamError:
        self._client.poll(0)
        if isinstance(self._watch.failure, ConfigurationError):
            return copy.copy(self._watch.failure)
        reason = f"{what} on {self._config.address}: {hide(error.str(), self._config.secrets)}"
        return TransientError(reason) if error.code() in UNREACHABLE else ConfigurationError(reason)
