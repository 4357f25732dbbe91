"""Asking for the id of a topic, which tells it from an earlier one of its name: consumers are not told, admin clients are."""

from __future__ import annotations

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from ...errors import ConfigurationError
from ..client import open_client
from ..config import KafkaSubscriberConfig
from ..properties import client_properties

ANSWER_SECONDS = 5.0
"""How long brokers have for one answer."""
NO_ID = "AAAAAAAAAAAAAAAAAAAAAA"
"""What brokers before 2.8 have for every topic."""
AS_KAFKA_WRITES_IT = str.maketrans("+/", "-_")
"""librdkafka writes ids in the other base64 alphabet than Kafka's tools and logs do."""


class TopicIds:
    """Asks for the id of one topic, from one thread at a time; opens its client at the first question.

    Whoever reads the topic tells of everything that is wrong; here no answer is an answer.

    Args:
        topic: its name.
        config: how to connect.
    """

    def __init__(self, topic: str, config: KafkaSubscriberConfig) -> None:
        self._topic = topic
        self._config = config
        self._admin: AdminClient | None = None
        self._cluster = ""
        self._is_closed = False

    def count(self) -> int:
        """Return how many partitions the topic has; 0 when nobody tells. Takes `ANSWER_SECONDS` at most, and the opening."""
        admin, self._admin = self._admin, None  # one that gets no answer is not asked again
        try:
            admin = admin or self._open()
            found = admin.list_topics(self._topic, ANSWER_SECONDS)
        except (KafkaException, ConfigurationError):
            return 0
        self._cluster = self._cluster or found.cluster_id or ""
        if not self._is_closed:
            self._admin = admin
        return len(found.topics[self._topic].partitions)

    def topic_id(self) -> str:
        """Return `<id>@<cluster>`; empty when nobody tells: no right to, or brokers that have no ids. After `count`."""
        admin = self._admin
        if admin is None:
            return ""
        try:
            asked = admin.describe_topics(TopicCollection([self._topic]), request_timeout=ANSWER_SECONDS)
            found = str(asked[self._topic].result(2 * ANSWER_SECONDS).topic_id)
        except (KafkaException, TimeoutError):
            return ""
        return "" if found == NO_ID else f"{found.translate(AS_KAFKA_WRITES_IT)}@{self._cluster}"

    def close(self) -> None:
        """Let the client go. From any thread; an answer that is waited for keeps it a while."""
        self._is_closed = True
        self._admin = None

    def _open(self) -> AdminClient:
        # Silent: the consumer says what there is to say about brokers and properties.
        properties = {**client_properties(self._config), "log_level": 0}
        return open_client(AdminClient, self._config, properties, lambda _: None)
