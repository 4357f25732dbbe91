"""Whether the topic is still there, and brokers with it: asked where nothing else would tell.

A topic that was never there is an error at once. What one broker says of one that was there, right after a restart or a change of
controllers, may be wrong for a moment: it has to say so for some seconds before it is believed.
"""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException

from ...clock import MONOTONIC
from ...errors import ConfigurationError
from ..config import KafkaSubscriberConfig
from ..connection import ConnectionWatch
from ..errors import UNKNOWN_TOPIC, unknown_topic
from .owned_partitions import OwnedPartitions
from .topic_identity import TopicIdentity

LOOK_SECONDS = 10.0
"""Between looks, while no partition is ours or no broker was heard of."""
MISSING_LOOK_SECONDS = 1.0
"""The same while brokers say that the topic is not there."""
MISSING_SECONDS = 5.0
"""How long they have to say so before it is believed: several times what brokers take to tell each other of a change."""
ANSWER_SECONDS = 1.0
"""How long a look may keep the client from being polled."""


class TopicWatch:
    """Looks at one topic. For the poll thread only.

    Args:
        consumer: asks.
        owned: of the topic that is looked at; it is there if partitions of it were ever given out.
        config: for the address in the error.
        watch: told when a broker answers after an outage.
        identity: told when a broker does not know the topic: there may be another one of its name soon.
    """

    def __init__(
        self,
        consumer: Consumer,
        owned: OwnedPartitions,
        config: KafkaSubscriberConfig,
        watch: ConnectionWatch,
        identity: TopicIdentity,
    ) -> None:
        self._consumer = consumer
        self._owned = owned
        self._topic = owned.topic
        self._config = config
        self._watch = watch
        self._identity = identity
        self._missing_since: float | None = None
        self._next_look = MONOTONIC.now() + LOOK_SECONDS

    def on_unknown(self) -> None:
        """Take note that a broker does not know the topic; raises ConfigurationError when it never was there."""
        if not self._owned.were_any:
            raise self._missing()
        self._identity.suspect()
        if self._missing_since is None:
            self._missing_since = self._next_look = MONOTONIC.now()

    def look(self, now: float, *, has_partitions: bool) -> None:
        """Ask the brokers, when it is time and nothing else would tell.

        Raises:
            ConfigurationError: the topic has gone; names it and what creates it.
        """
        is_quiet = has_partitions and self._missing_since is None and not self._watch.outage
        if is_quiet or now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        try:
            found = self._consumer.list_topics(self._topic, timeout=ANSWER_SECONDS).topics.get(self._topic)
        except KafkaException:
            return  # no broker answers: that is said elsewhere
        if self._watch.outage:
            self._watch.on_contact()
        if found is None or found.error is None or found.error.code() not in UNKNOWN_TOPIC:
            self._missing_since = None
            return
        self._missing_since = now if self._missing_since is None else self._missing_since
        self._next_look = now + MISSING_LOOK_SECONDS
        if now - self._missing_since >= MISSING_SECONDS:
            raise self._missing()

    def _missing(self) -> ConfigurationError:
        return ConfigurationError(unknown_topic(self._topic, self._config.address))
