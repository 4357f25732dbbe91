"""How far a consumer group is behind the end of a topic, as the brokers have it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # the stubs leave it out

from ..clock import MONOTONIC
from ..errors import ConfigurationError
from .admin import KafkaAdmin
from .client import open_client
from .config import KafkaSubscriberConfig
from .connection import ConnectionWatch
from .patient_admin import LOOK_AGAIN_SECONDS, PatientAdmin
from .properties import client_properties


class TopicEnds(msgspec.Struct, frozen=True):
    """Where the partitions of a topic begin and end, by their number: *first* is what is kept, *end* what comes next."""

    first: Mapping[int, int]
    end: Mapping[int, int]

    def lag(self, committed: Mapping[int, int]) -> int:
        """Return how many offsets are not committed, all partitions together; what is not kept any more does not count."""
        return sum(max(0, end - max(self.first[at], committed.get(at, 0))) for at, end in self.end.items())


class GroupLag:
    """Asks the brokers about one topic and one group, which it never joins. Not for several threads at a time.

    Args:
        config: of the subscriber that reads it.
    """

    def __init__(self, config: KafkaSubscriberConfig, topic: str) -> None:
        self._topic = topic
        self._topics = KafkaAdmin(config)
        self._admin = PatientAdmin(config)
        # Not the admin client: where a coordinator is only just starting, librdkafka 2.16 takes the process down with it.
        properties = {**client_properties(config), "group.id": config.group_id, "enable.auto.commit": False}
        self._consumer = open_client(Consumer, config, properties, ConnectionWatch(config).on_error)

    def ends(self, timeout: float = 10.0) -> TopicEnds:
        """Return where the topic begins and ends now, without what is in an open transaction.

        Raises:
            ConfigurationError: there is no such topic, or we are refused.
            TransientError: no answer within *timeout* seconds.
        """
        deadline = MONOTONIC.now() + timeout
        count = self._count(timeout)
        first, end = (
            self._offsets(count, spec, max(LOOK_AGAIN_SECONDS, deadline - MONOTONIC.now()))
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call] # untyped in the package
        )
        return TopicEnds(first, end)

    def committed(self, timeout: float = 10.0) -> dict[int, int]:
        """Return what the group has committed of the topic, where it has, by partition. Raises what `ends` does."""
        count = self._count(timeout)
        asked = [TopicPartition(self._topic, partition) for partition in range(count)]
        try:
            answer = self._consumer.committed(asked, timeout)
        except KafkaException as error:
            raise self._admin.explain("what the group has committed cannot be looked at", error.args[0]) from None
        return {each.partition: each.offset for each in answer if each.offset >= 0}

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._consumer.close()

    def _count(self, timeout: float) -> int:
        count = self._topics.count_partitions(self._topic, timeout)
        if count is None:
            raise ConfigurationError(f"there is no topic {self._topic!r}")
        return count

    def _offsets(self, count: int, spec: OffsetSpec, timeout: float) -> dict[int, int]:
        asked = {TopicPartition(self._topic, partition): spec for partition in range(count)}
        try:
            answers = self._admin.client.list_offsets(
                asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=timeout
            )
            return {place.partition: self._admin.wait(answer).offset for place, answer in answers.items()}
        except KafkaException as error:
            raise self._admin.explain(f"topic {self._topic!r} cannot be looked at", error.args[0]) from None
