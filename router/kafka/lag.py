"""How far a consumer group is behind the end of a topic, as the brokers have it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # the stubs leave it out

from ..clock import MONOTONIC
from ..errors import ConfigurationError, MillstreamError, TransientError
from .client import open_client
from .config import KafkaSubscriberConfig
from .connection import CREDENTIALS, ConnectionWatch
from .errors import UNAUTHORIZED, UNKNOWN_TOPIC, unknown_topic
from .patient_admin import LOOK_AGAIN_SECONDS, PatientAdmin
from .properties import Properties, client_properties

MISSING_SECONDS = 5.0
"""How long a topic is asked for again before it is believed to be missing: brokers hear of a new one one after the other."""
ASK_AGAIN_SECONDS = 0.25
"""Before a topic that nobody knew is asked for again."""
REFUSALS = UNAUTHORIZED | CREDENTIALS | {KafkaError.GROUP_AUTHORIZATION_FAILED}
"""What waiting does not mend. Whatever else a broker answers is of the moment: a coordinator that moves, a leader that is new."""


class TopicEnds(msgspec.Struct, frozen=True):
    """Where the partitions of a topic begin and end, by their number: *first* is what is kept, *end* what comes next."""

    first: Mapping[int, int]
    end: Mapping[int, int]

    def lag(self, committed: Mapping[int, int]) -> int:
        """Return how many offsets are not committed, all partitions together; what is not kept any more does not count."""
        return sum(max(0, end - max(self.first[at], committed.get(at, 0))) for at, end in self.end.items())

    def hold(self, committed: Mapping[int, int]) -> bool:
        """Return whether no partition is committed beyond its end: that can be of a log that was longer, and is there no more."""
        return all(offset <= self.end.get(at, 0) for at, offset in committed.items())


class Committed(msgspec.Struct, frozen=True):
    """What a group has committed of a partition: the *offset* that it goes on at, and the *note* that was committed with it."""

    offset: int
    note: str = ""


class GroupLag:
    """Asks the brokers about one topic and one group, which it never joins. Not for several threads at a time.

    Args:
        config: of the subscriber that reads it.
        topic: what is asked about.
        is_stable: whether an answer waits for commits in a transaction that is still open, such as one that its process has left
            when it was killed; else it is what was committed before.
    """

    def __init__(self, config: KafkaSubscriberConfig, topic: str, *, is_stable: bool = True) -> None:
        self._topic = topic
        self._address = config.address
        self._count: int | None = None
        """How many partitions the topic had when it was last asked for; `None`: nobody has known it yet."""
        self._admin = PatientAdmin(config)
        # Not the admin client: where a coordinator is only just starting, librdkafka 2.16 takes the process down with it.
        own: Properties = {"group.id": config.group_id, "enable.auto.commit": False}
        if not is_stable:
            own["isolation.level"] = "read_uncommitted"
        properties = {**client_properties(config), **own}
        self._consumer = open_client(Consumer, config, properties, ConnectionWatch(config).on_error)

    def ends(self, timeout: float = 10.0, *, with_open: bool = False) -> TopicEnds:
        """Return where the topic begins and ends now.

        Args:
            timeout: seconds.
            with_open: whether what is in an open transaction counts; who reads uncommitted records may have committed it.

        Raises:
            ConfigurationError: we are refused, or nobody has known such a topic for some seconds, and never before.
            TransientError: no answer within *timeout* seconds, or one that passes.
        """
        deadline = MONOTONIC.now() + timeout
        count = self._count = self._find(timeout)
        level = IsolationLevel.READ_UNCOMMITTED if with_open else IsolationLevel.READ_COMMITTED
        first, end = (
            self._offsets(count, spec, level, max(LOOK_AGAIN_SECONDS, deadline - MONOTONIC.now()))
            for spec in (OffsetSpec.earliest(), OffsetSpec.latest())  # type: ignore[no-untyped-call] # untyped in the package
        )
        return TopicEnds(first, end)

    def committed(self, timeout: float = 10.0) -> dict[int, int]:
        """Return what the group has committed of the topic, where it has, by partition. Raises what `ends` does."""
        return {partition: each.offset for partition, each in self.commits(timeout).items()}

    def commits(self, timeout: float = 10.0) -> dict[int, Committed]:
        """Return the same, with the notes. Raises what `ends` does."""
        deadline = MONOTONIC.now() + timeout
        count = self._find(timeout) if self._count is None else self._count
        asked = [TopicPartition(self._topic, partition) for partition in range(count)]
        try:
            answer = self._consumer.committed(asked, max(LOOK_AGAIN_SECONDS, deadline - MONOTONIC.now()))
            error = next((each.error for each in answer if each.error is not None), None)
        except KafkaException as failure:
            error = failure.args[0]
        if error is not None:
            raise self._explain("what the group has committed cannot be looked at", error)
        return {each.partition: Committed(each.offset, each.metadata or "") for each in answer if each.offset >= 0}

    def close(self) -> None:
        """Close the connections; may be called twice."""
        self._consumer.close()

    def _find(self, timeout: float) -> int:
        """Return how many partitions the topic has."""
        believed = MONOTONIC.now() + MISSING_SECONDS
        while (count := self._look(timeout)) is None:
            if self._count is not None:
                raise TransientError(f"there is no topic {self._topic!r} any more")
            if MONOTONIC.now() >= believed:
                raise ConfigurationError(unknown_topic(self._topic, self._address))
            self._admin.client.poll(ASK_AGAIN_SECONDS)
        return count

    def _look(self, timeout: float) -> int | None:
        try:
            answer = self._admin.ask(
                lambda seconds: self._admin.client.list_topics(self._topic, timeout=seconds), timeout
            )
        except KafkaException as error:
            raise self._explain(f"topic {self._topic!r} cannot be looked at", error.args[0]) from None
        found = answer.topics[self._topic]
        if found.error is None:
            return len(found.partitions)
        if found.error.code() in UNKNOWN_TOPIC:
            return None
        raise self._explain(f"topic {self._topic!r} cannot be looked at", found.error)

    def _offsets(self, count: int, spec: OffsetSpec, level: IsolationLevel, timeout: float) -> dict[int, int]:
        asked = {TopicPartition(self._topic, partition): spec for partition in range(count)}
        try:
            answers = self._admin.client.list_offsets(asked, isolation_level=level, request_timeout=timeout)
            return {place.partition: self._admin.wait(answer).offset for place, answer in answers.items()}
        except KafkaException as error:
            raise self._explain(f"topic {self._topic!r} cannot be looked at", error.args[0]) from None

    def _explain(self, what: str, error: KafkaError) -> MillstreamError:
        return self._admin.explain(what, error, REFUSALS)
