"""What can be seen of a cluster, its topics and a group from outside: nothing is joined, committed or changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Literal, TypeVar

import confluent_kafka
import msgspec
from confluent_kafka import ConsumerGroupType, KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined] # the stubs leave them out
    ConfigResource,
    ConsumerGroupDescription,
    TopicDescription,
)

from ..clock import MONOTONIC
from ..errors import MillstreamError, TransientError
from .client_config import KafkaClientConfig
from .errors import UNKNOWN_TOPIC
from .lag import REFUSALS
from .patient_admin import LOOK_AGAIN_SECONDS, PatientAdmin
from .probe import EVERYWHERE

PROTOCOLS = "group.coordinator.rebalance.protocols"
"""The broker's setting that lists the protocols it has for groups; brokers before 3.7 have none of that name."""
MOVING = frozenset(
    {
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
    }
)
"""What is said of a group whose broker is only just taking it over, as on a cluster where nobody has had one yet."""
REFUSED_SECONDS = 1.0
"""When a look is over where every address refuses connections: that is known at once, and more waiting does not change it."""

Answer = TypeVar("Answer")


class TopicFacts(msgspec.Struct, frozen=True):
    """What a topic is like.

    Args:
        partitions: how many.
        leaderless: how many of them nobody leads now.
        rights: what we may do with it, such as `READ` and `WRITE`; `None`: the brokers do not tell.
    """

    partitions: int
    leaderless: int = 0
    rights: frozenset[str] | None = None


class GroupFacts(msgspec.Struct, frozen=True):
    """What a consumer group is like.

    Args:
        protocol: by which its members share the partitions.
        strategy: how, such as `range`; empty while there are none, or while they come together.
        members: how many there are.
        instances: the names of those that are static.
        rights: what we may do with it; `None`: the brokers do not tell.
    """

    protocol: Literal["classic", "consumer"]
    strategy: str = ""
    members: int = 0
    instances: frozenset[str] = frozenset()
    rights: frozenset[str] | None = None


class Inspector:
    """Asks the brokers. Not for several threads at a time; keeps no thread of its own to close.

    Every method blocks for *timeout* seconds at most, and raises `ConfigurationError` where we are refused, else
    `TransientError`.

    Args:
        config: where the brokers are, and who asks.
        timeout: seconds for each answer.
    """

    def __init__(self, config: KafkaClientConfig, timeout: float) -> None:
        self._admin = PatientAdmin(config)
        self._timeout = timeout

    def brokers(self) -> list[int]:
        """Return the ids of the brokers that are up."""
        try:
            return self._brokers(min(REFUSED_SECONDS, self._timeout))
        except TransientError as error:
            if self._admin.outage:
                raise TransientError(f"no broker can be reached: {self._admin.outage}") from None
            if self._timeout <= REFUSED_SECONDS:
                raise error from None
        return self._brokers(self._timeout - REFUSED_SECONDS)

    def _brokers(self, timeout: float) -> list[int]:
        try:
            answer = self._admin.ask(
                lambda seconds: self._admin.client.list_topics(EVERYWHERE, timeout=seconds), timeout
            )
        except KafkaException as error:
            raise self._admin.explain("no broker answers", error.args[0]) from None
        return sorted(answer.brokers)

    def topics(self, names: Collection[str]) -> dict[str, TopicFacts | MillstreamError | None]:
        """Return what each topic is like; `None` where there is no such one, and the error where it cannot be looked at."""
        if not names:
            return {}
        asked = TopicCollection(list(names))
        answers = self._admin.client.describe_topics(
            asked, include_authorized_operations=True, request_timeout=self._timeout
        )
        return {name: self._topic(name, answer) for name, answer in answers.items()}

    def _topic(self, name: str, answer: Future[TopicDescription]) -> TopicFacts | MillstreamError | None:
        try:
            found = self._answer(f"topic {name!r} cannot be looked at", answer)
        except _Missing:
            return None
        except MillstreamError as error:
            return error
        leaderless = sum(each.leader is None or each.leader.id < 0 for each in found.partitions)
        return TopicFacts(len(found.partitions), leaderless, _rights(found.authorized_operations))

    def group(self, name: str) -> GroupFacts:
        """Return what a group is like; one that nobody knows has no members."""
        found = self._describe_group(name, MONOTONIC.now() + self._timeout)
        return GroupFacts(
            "consumer" if found.type == ConsumerGroupType.CONSUMER else "classic",
            found.partition_assignor or "",
            len(found.members),
            frozenset(each.group_instance_id for each in found.members if each.group_instance_id),
            _rights(found.authorized_operations),
        )

    def _describe_group(self, name: str, deadline: float) -> ConsumerGroupDescription:
        while True:
            left = max(LOOK_AGAIN_SECONDS, deadline - MONOTONIC.now())
            asked = self._admin.client.describe_consumer_groups(
                [name], include_authorized_operations=True, request_timeout=left
            )
            try:
                found: ConsumerGroupDescription = self._admin.wait(asked[name])
            except KafkaException as error:
                if error.args[0].code() not in MOVING or MONOTONIC.now() >= deadline:
                    raise self._admin.explain(f"group {name!r} cannot be looked at", error.args[0], REFUSALS) from None
            else:
                return found
            self._admin.client.poll(LOOK_AGAIN_SECONDS)

    def group_protocols(self, broker: int) -> frozenset[str]:
        """Return the protocols that *broker* has for groups, `classic` alone where it does not speak of them."""
        resource = ConfigResource(ConfigResource.Type.BROKER, str(broker))
        asked = self._admin.client.describe_configs([resource], request_timeout=self._timeout)
        found: Mapping[str, object] = self._answer(f"the settings of broker {broker} cannot be read", asked[resource])
        value = str(getattr(found.get(PROTOCOLS), "value", "classic"))
        return frozenset(each.strip().lower() for each in value.split(","))

    def _answer(self, what: str, asked: Future[Answer]) -> Answer:
        try:
            return self._admin.wait(asked)
        except KafkaException as error:
            if error.args[0].code() in UNKNOWN_TOPIC:
                raise _Missing from None
            raise self._admin.explain(what, error.args[0]) from None


class _Missing(Exception):
    """There is no such topic."""


def _rights(operations: Collection[object] | None) -> frozenset[str] | None:
    """Return the names of *operations*; none at all is what brokers say that were not asked, or do not know."""
    return frozenset(str(getattr(each, "name", each)) for each in operations) if operations else None


def client_versions() -> dict[str, str]:
    """Return the versions of what speaks to Kafka here, by name."""
    return {"confluent-kafka": str(confluent_kafka.__version__), "librdkafka": confluent_kafka.libversion()[0]}
