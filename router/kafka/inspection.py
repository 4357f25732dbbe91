"""What can be seen of a cluster, its topics and a group from outside: nothing is joined, committed or changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Literal, TypeVar

import confluent_kafka
import msgspec
from confluent_kafka import ConsumerGroupType, KafkaException, TopicCollection
from confluent_kafka.admin import ConfigResource, TopicDescription  # type: ignore[attr-defined] # the stubs leave them out

from ..errors import MillstreamError, TransientError
from .client_config import KafkaClientConfig
from .errors import UNKNOWN_TOPIC
from .patient_admin import PatientAdmin
from .probe import EVERYWHERE

PROTOCOLS = "group.coordinator.rebalance.protocols"
"""The broker's setting that lists the protocols it has for groups; brokers before 3.7 have none of that name."""

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
            answer = self._admin.ask(
                lambda seconds: self._admin.client.list_topics(EVERYWHERE, timeout=seconds), self._timeout
            )
        except KafkaException as error:
            explained = self._admin.explain("the brokers cannot be asked", error.args[0])
            outage = self._admin.outage
            if isinstance(explained, TransientError) and outage:
                raise TransientError(f"no broker can be reached: {outage}") from None
            raise explained from None
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
        asked = self._admin.client.describe_consumer_groups(
            [name], include_authorized_operations=True, request_timeout=self._timeout
        )
        found = self._answer(f"group {name!r} cannot be looked at", asked[name])
        return GroupFacts(
            "consumer" if found.type == ConsumerGroupType.CONSUMER else "classic",
            found.partition_assignor or "",
            len(found.members),
            frozenset(each.group_instance_id for each in found.members if each.group_instance_id),
            _rights(found.authorized_operations),
        )

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
