"""Looking at topics as a whole, and giving them partitions; making one is `KafkaAdmin.create_topic`."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined] # the stubs leave it out
from confluent_kafka.cimpl import NewPartitions, NewTopic

from ..clock import MONOTONIC
from ..errors import ConfigurationError, TransientError
from .admin import BROKER_DEFAULT, KafkaAdmin
from .client_config import KafkaClientConfig
from .errors import UNAUTHORIZED, UNKNOWN_TOPIC
from .names import checked_topic
from .patient_admin import LOOK_AGAIN_SECONDS, PatientAdmin
from .topic_plan import TopicFound, TopicPlan, TopicWanted

LOOK_SECONDS = 10.0
"""For each question."""
BRING_SECONDS = 30.0
"""For each topic that is made or grows."""


class TopicSetup:
    """Brings topics to what is wanted of them. Not for several threads at a time.

    Args:
        config: where the brokers are, and who asks.
        look_seconds, bring_seconds: what each question, and each topic that is made or grows, may take.
    """

    def __init__(
        self, config: KafkaClientConfig, *, look_seconds: float = LOOK_SECONDS, bring_seconds: float = BRING_SECONDS
    ) -> None:
        self._topics = KafkaAdmin(config)
        self._admin = PatientAdmin(config)
        self._look_seconds = look_seconds
        self._seconds = bring_seconds

    def look(self, topic: str) -> TopicFound | None:
        """Return what *topic* is like, `None` where there is none.

        Raises:
            ConfigurationError: the brokers refuse us, or the name is none.
            TransientError: no answer in time.
        """
        topic = checked_topic(topic)
        what = f"topic {topic!r} cannot be looked at"
        try:
            asked = self._admin.client.list_topics
            found = self._admin.ask(lambda seconds: asked(topic, timeout=seconds), self._look_seconds).topics[topic]
        except KafkaException as error:
            raise self._admin.explain(what, error.args[0]) from None
        if found.error is not None:
            if found.error.code() in UNKNOWN_TOPIC:
                return None
            raise self._admin.explain(what, found.error)
        replicas = [len(each.replicas) for each in found.partitions.values()]
        return TopicFound(len(replicas), min(replicas, default=0), self._settings(topic, what))

    def bring(self, wanted: TopicWanted, plan: TopicPlan, *, only_check: bool = False) -> None:
        """Do what *plan* says, and wait until the topic takes records everywhere.

        Args:
            only_check: have the brokers say whether they would do it; nothing changes.

        Raises:
            ConfigurationError: the brokers refuse it: no right to, more copies than brokers, ….
            TransientError: no answer in time.
        """
        if plan.partitions is None:
            return
        if not plan.is_new:
            self._grow(wanted.topic, plan.partitions, only_check=only_check)
        elif only_check:
            self._check_new(wanted, plan.partitions)
        else:
            self._topics.create_topic(
                wanted.topic,
                partitions=plan.partitions,
                replication_factor=_factor(wanted),
                settings=wanted.settings,
                timeout=self._seconds,
            )

    def _settings(self, topic: str, what: str) -> dict[str, str] | None:
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        answer = self._admin.client.describe_configs([resource], request_timeout=self._look_seconds)[resource]
        try:
            return {name: str(entry.value) for name, entry in self._admin.wait(answer).items()}
        except KafkaException as error:
            if error.args[0].code() in UNAUTHORIZED:
                return None
            raise self._admin.explain(what, error.args[0]) from None

    def _check_new(self, wanted: TopicWanted, partitions: int) -> None:
        request = NewTopic(wanted.topic, partitions, _factor(wanted), config=dict(wanted.settings))
        answers = self._admin.client.create_topics([request], request_timeout=self._seconds, validate_only=True)
        self._done(f"topic {wanted.topic!r} cannot be created", answers[wanted.topic])

    def _grow(self, topic: str, partitions: int, *, only_check: bool) -> None:
        what = f"topic {topic!r} cannot be given {partitions} partitions"
        answers: Mapping[str, Future[None]] = self._admin.client.create_partitions(
            [NewPartitions(topic, partitions)],
            operation_timeout=self._seconds,
            request_timeout=self._seconds,
            validate_only=only_check,
        )
        self._done(what, answers[topic])
        deadline = MONOTONIC.now() + self._seconds
        while not only_check and not self._has(topic, partitions):
            if MONOTONIC.now() >= deadline:
                raise TransientError(
                    f"topic {topic!r} got partitions, but they take no records after {self._seconds:g} s"
                )
            self._admin.client.poll(LOOK_AGAIN_SECONDS)

    def _has(self, topic: str, partitions: int) -> bool:
        return (self._topics.count_partitions(topic) or 0) >= partitions and self._topics.is_ready(topic)

    def _done(self, what: str, answer: Future[None]) -> None:
        try:
            self._admin.wait(answer)
        except KafkaException as error:
            raise self._admin.explain(what, error.args[0]) from None
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigurationError(f"{what}: {error}") from None


def _factor(wanted: TopicWanted) -> int:
    return BROKER_DEFAULT if wanted.replication_factor is None else wanted.replication_factor
