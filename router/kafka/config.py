"""Settings of the Kafka publisher and subscriber."""

from __future__ import annotations

from typing import Literal

from .client_config import KafkaClientConfig
from .forbidden import PUBLISHER, SUBSCRIBER

Partitioner = Literal["consistent_random", "murmur2_random", "fnv1a_random"]
"""Which partition a key belongs to: librdkafka's own hash (CRC32), Java's, or that of Go services (sarama, Watermill).

Without a key each of them spreads the messages. Producers that write the same keys to a topic must agree on it, or
the messages of one key are in two partitions and out of order.
"""


class KafkaPublisherConfig(KafkaClientConfig, frozen=True, kw_only=True):
    """How `KafkaPublisher` sends. It is always idempotent with `acks=all`.

    Args:
        partitioner: which partition a key goes to; `"fnv1a_random"` agrees with Go services.
        linger: seconds that a message waits for others to share its request with.
        delivery_timeout: seconds after which a message that was not confirmed has failed, however long the brokers are away.
        close_timeout: seconds that `close` waits for confirmations.
        max_message_bytes: the largest message sent; the broker has a limit of its own (`max.message.bytes` of the topic).
        buffer_messages: messages that may be on the way before `publish` waits for room.
        buffer_bytes: the same in bytes.
    """

    partitioner: Partitioner = "consistent_random"
    linger: float = 0.005
    delivery_timeout: float = 300.0
    close_timeout: float = 30.0
    max_message_bytes: int = 1_000_000
    buffer_messages: int = 100_000
    buffer_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refuse(PUBLISHER)
        self._require(self.linger >= 0, "linger", "not be negative")
        self._require_seconds("delivery_timeout")
        self._require_positive("close_timeout", "buffer_messages")
        self._require(self.delivery_timeout > self.linger, "delivery_timeout", f"be more than linger={self.linger:g}")
        # librdkafka's own bounds: smaller values are no message, no buffer.
        self._require(1000 <= self.max_message_bytes <= 1_000_000_000, "max_message_bytes", "be 1,000 to 1,000,000,000")
        self._require(self.buffer_bytes >= self.max_message_bytes, "buffer_bytes", "be at least max_message_bytes")


class KafkaSubscriberConfig(KafkaClientConfig, frozen=True, kw_only=True):
    """How `KafkaSubscriber` receives. Offsets are stored by us, after settlement, and never by librdkafka.

    Args:
        group_id: the consumer group; its members share the partitions, and it has one committed offset for each.
        start_from: where a partition without a committed offset begins. An offset out of range later is an error.
        group_protocol: `"consumer"` is the new one (KIP-848, Apache Kafka 4.0 and newer).
        assignment_strategy: how the members share the partitions; with `"consumer"` the broker decides.
        group_instance_id: makes the member static: one that is back within `session_timeout` keeps its partitions.
        session_timeout: seconds without a heartbeat after which the group gives a member up; the broker's with `"consumer"`.
        heartbeat_interval: seconds between heartbeats; the broker's with `"consumer"`.
        max_poll_interval: seconds after which a client that is not polled counts as dead.
        commit_interval: seconds between commits of what has settled.
        buffer_messages: messages that may wait to be received before the poll thread waits for room.
        buffer_bytes: the same in bytes.
        max_pending: messages of one partition that may be delivered past the commit before it is paused.
        max_pending_bytes: bytes of payload that may be delivered past the commit, in all partitions together; one of several
            partitions is paused when it has more than are left.
        max_message_bytes: a larger message goes to the poison sink undecoded.
        pause_after: seconds that the poll thread waits for room before it pauses; a pause throws the prefetch away, about 1 s.
        nack_resend_delay: seconds before a message that was nacked outside a router is delivered again.
        warn_after: seconds that one message may keep the commit of its partition back before a warning names who holds it;
            three times the 60 s that one INSERT may take.
    """

    group_id: str
    start_from: Literal["earliest", "latest"] = "earliest"
    group_protocol: Literal["classic", "consumer"] = "classic"
    assignment_strategy: Literal["range", "cooperative-sticky"] = "range"
    group_instance_id: str | None = None
    session_timeout: float = 45.0
    heartbeat_interval: float = 3.0
    max_poll_interval: float = 300.0
    commit_interval: float = 1.0
    buffer_messages: int = 10_000
    buffer_bytes: int = 32 * 1024 * 1024
    max_pending: int = 250_000
    max_pending_bytes: int = 128 * 1024 * 1024
    max_message_bytes: int = 1024 * 1024
    pause_after: float = 0.5
    nack_resend_delay: float = 0.1
    warn_after: float = 180.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._refuse(SUBSCRIBER)
        self._require(bool(self.group_id), "group_id", "not be empty")
        self._require(self.group_instance_id != "", "group_instance_id", "be a name or None")
        self._require_seconds("session_timeout", "heartbeat_interval", "max_poll_interval", "commit_interval")
        self._require_positive("warn_after")
        self._require_positive("buffer_messages", "buffer_bytes", "max_pending", "max_message_bytes")
        self._require_positive("max_pending_bytes")
        for name in ("pause_after", "nack_resend_delay"):
            self._require(getattr(self, name) >= 0, name, "not be negative")
        half = self.max_poll_interval / 2
        self._require(self.pause_after <= half, "pause_after", f"be at most half of max_poll_interval, {half:g}")
        if self.group_protocol == "classic":
            self._require_order("heartbeat_interval", "session_timeout")
            self._require_order("session_timeout", "max_poll_interval")

    def _require_order(self, smaller: str, larger: str) -> None:
        limit = getattr(self, larger)
        self._require(getattr(self, smaller) <= limit, smaller, f"be at most {larger}={limit:g}")
