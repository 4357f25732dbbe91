"""Making topics, and asking for them."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ..clock import MONOTONIC
from ..errors import ConfigurationError, TransientError
from .client import open_client
from .config import KafkaClientConfig
from .connection import ConnectionWatch
from .errors import UNKNOWN_TOPIC
from .properties import client_properties
from .redaction import hide

LOOK_AGAIN_SECONDS = 0.05
"""Between looks for a topic that was just created: the brokers tell each other within a few of these."""
BROKER_DEFAULT = -1
UNREACHABLE = frozenset(
    {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError.REQUEST_TIMED_OUT}
)


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
        """Create *topic* and wait until the brokers know it; returns False if it was there already, whatever its shape.

        Args:
            topic: its name.
            partitions: how many; can be raised later, never lowered.
            replication_factor: copies of each partition; by default what the broker is set to.
            settings: topic settings such as `retention.ms`.
            timeout: seconds for all of it.

        Raises:
            ConfigurationError: the brokers refuse it: a bad name or setting, no right to, wrong credentials.
            TransientError: no answer within *timeout*.
        """
        deadline = MONOTONIC.now() + timeout
        request = NewTopic(topic, partitions, replication_factor, config=dict(settings or {}))
        try:
            self._client.create_topics([request], operation_timeout=timeout, request_timeout=timeout)[topic].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise self._explain(f"topic {topic!r} cannot be created", error.args[0]) from None
        while self.count_partitions(topic, max(LOOK_AGAIN_SECONDS, deadline - MONOTONIC.now())) is None:
            if MONOTONIC.now() >= deadline:
                raise TransientError(f"topic {topic!r} was created but is not known after {timeout:g} s")
            self._client.poll(LOOK_AGAIN_SECONDS)
        return True

    def count_partitions(self, topic: str, timeout: float = 10.0) -> int | None:
        """Return how many partitions *topic* has, `None` if there is no such topic.

        Raises:
            ConfigurationError, TransientError: as for `create_topic`.
        """
        try:
            found = self._client.list_topics(topic, timeout=timeout).topics[topic]
        except KafkaException as error:
            raise self._explain(f"topic {topic!r} cannot be looked at", error.args[0]) from None
        if found.error is None:
            return len(found.partitions)
        if found.error.code() in UNKNOWN_TOPIC:
            return None
        raise self._explain(f"topic {topic!r} cannot be looked at", found.error)

    def _explain(self, what: str, error: KafkaError) -> ConfigurationError | TransientError:
        self._client.poll(0)  # takes in what was reported about the connection
        if isinstance(self._watch.failure, ConfigurationError):
            return self._watch.failure
        reason = f"{what} on {self._config.address}: {hide(error.str(), self._config.secrets)}"
        return TransientError(reason) if error.code() in UNREACHABLE else ConfigurationError(reason)
