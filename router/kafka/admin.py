"""Making topics, and asking for them."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined] # the stubs leave it out
from confluent_kafka.cimpl import NewTopic

from ..clock import MONOTONIC
from ..errors import ConfigurationError, TransientError
from .client_config import KafkaClientConfig, require_config
from .errors import UNKNOWN_TOPIC, unknown_topic
from .names import checked_topic, is_sendable
from .patient_admin import LOOK_AGAIN_SECONDS, UNREACHABLE, PatientAdmin

BROKER_DEFAULT = -1
MISSING_SECONDS = 2.0
"""How long a topic is asked for again before it is believed to be missing: all brokers know a new one within one or two."""
NOT_READY = UNREACHABLE | UNKNOWN_TOPIC | {KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH}
"""What the leader of a new partition says before it knows that it is the one."""


class KafkaAdmin:
    """Creates topics and looks at them. Not for several threads at a time; keeps no thread of its own to close.

    `KafkaAdmin(KafkaPublisherConfig(brokers=["localhost:9092"])).create_topic("orders", partitions=6)` makes one. The
    configuration of a subscriber does as well: what counts is where the brokers are, and who asks.
    """

    def __init__(self, config: KafkaClientConfig) -> None:
        require_config("KafkaAdmin", config, KafkaClientConfig)
        self._address = config.address
        self._admin = PatientAdmin(config)

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
        topic = checked_topic(topic)
        for name, value in (settings or {}).items():
            if not is_sendable(f"{name}{value}"):
                rule = "be text in UTF-8 without a NUL"
                raise ConfigurationError(
                    f"topic {topic!r} cannot be created: the setting {name!r} and its value must {rule}"
                )
        deadline = MONOTONIC.now() + timeout
        what = f"topic {topic!r} cannot be created"
        try:
            request = NewTopic(topic, partitions, replication_factor, config=dict(settings or {}))
            answers = self._admin.client.create_topics([request], operation_timeout=timeout, request_timeout=timeout)
            self._admin.wait(answers[topic])
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise self._admin.explain(what, error.args[0]) from None
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigurationError(f"{what}: {error}") from None
        while not self.is_ready(topic, max(LOOK_AGAIN_SECONDS, deadline - MONOTONIC.now())):
            if MONOTONIC.now() >= deadline:
                raise TransientError(f"topic {topic!r} was created but takes no records after {timeout:g} s")
            self._admin.client.poll(LOOK_AGAIN_SECONDS)
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
            beginning = OffsetSpec.earliest()  # type: ignore[no-untyped-call] # untyped in the package
            asked = {TopicPartition(topic, partition): beginning for partition in range(count)}
            for answer in self._admin.client.list_offsets(asked, request_timeout=left).values():
                self._admin.wait(answer)
        except TransientError:
            return False
        except KafkaException as error:
            if error.args[0].code() in NOT_READY:
                return False
            raise self._admin.explain(f"topic {topic!r} cannot be looked at", error.args[0]) from None
        return count > 0

    def require_topic(self, topic: str, timeout: float = 3.0) -> None:
        """Return where *topic* exists; one that does not is asked for again for two seconds.

        Args:
            topic: its name.
            timeout: seconds that each answer may take.

        Raises:
            ConfigurationError: it does not exist, with the command that creates it; or as for `create_topic`.
            TransientError: no answer.
        """
        believed = MONOTONIC.now() + MISSING_SECONDS
        while self.count_partitions(topic, timeout) is None:
            if MONOTONIC.now() >= believed:
                raise ConfigurationError(unknown_topic(topic, self._address))
            self._admin.client.poll(LOOK_AGAIN_SECONDS)

    def count_partitions(self, topic: str, timeout: float = 10.0) -> int | None:
        """Return how many partitions *topic* has, `None` if there is no such topic.

        Raises:
            ConfigurationError, TransientError: as for `create_topic`.
        """
        topic = checked_topic(topic)
        try:
            found = self._admin.ask(
                lambda seconds: self._admin.client.list_topics(topic, timeout=seconds), timeout
            ).topics[topic]
        except KafkaException as error:
            raise self._admin.explain(f"topic {topic!r} cannot be looked at", error.args[0]) from None
        if found.error is None:
            return len(found.partitions)
        if found.error.code() in UNKNOWN_TOPIC:
            return None
        raise self._admin.explain(f"topic {topic!r} cannot be looked at", found.error)
