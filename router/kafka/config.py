"""Settings of the Kafka publisher and subscriber."""

from __future__ import annotations

from typing import Literal

from ..typed_fields import require_words
from .client_config import MAX_SECONDS, KafkaClientConfig
from .forbidden import PUBLISHER, SUBSCRIBER
from .names import checked_id, checked_name

Partitioner = Literal["consistent_random", "murmur2_random", "fnv1a_random"]
"""Which partition a key belongs to: librdkafka's own hash (CRC32), Java's, or that of Go services (sarama, Watermill).

Without a key each of them spreads the messages, and the first one also those with an empty key, which to the other two and to the
in-memory transport is a key like any other. Producers that write the same keys to a topic must agree on it, or the messages of
one key are in two partitions and out of order.
"""

# The bounds of librdkafka; it would refuse what is beyond them only once a client is opened.
MAX_LINGER = 900
MAX_COUNT = 2_147_483_647


class KafkaPublisherConfig(KafkaClientConfig, frozen=True, kw_only=True):
    """How `KafkaPublisher` sends. It is always idempotent with `acks=all`.

    Args:
        partitioner: which partition a key goes to; `"fnv1a_random"` agrees with Go services.
        linger: seconds that a message waits for others to share its request with.
        delivery_timeout: seconds after which a message that was not confirmed has failed, however long the brokers are away.
        close_timeout: seconds that `close` waits for confirmations.
        max_message_bytes: the largest message sent; the broker has a limit of its own (`max.message.bytes` of the topic).
        buffer_messages: messages that may be on the way before `publish` waits for room.
        buffer_bytes: the same in bytes of payload; keys and headers are not counted by librdkafka, whose bound it is.

    Example:
        >>> config = KafkaPublisherConfig(brokers=["localhost:9092"], partitioner="fnv1a_random")
        >>> config.linger, config.delivery_timeout
        (0.005, 300.0)
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
        require_words(self)
        self._refuse(PUBLISHER)
        self._require(0 <= self.linger <= MAX_LINGER, "linger", f"not be negative, nor more than {MAX_LINGER} seconds")
        self._require_seconds("delivery_timeout", "close_timeout")
        self._require_positive("buffer_messages")
        self._require(self.buffer_messages <= MAX_COUNT, "buffer_messages", f"be at most {MAX_COUNT:,}")
        self._require(self.delivery_timeout > self.linger, "delivery_timeout", f"be more than linger={self.linger:g}")
        # librdkafka's own bounds: smaller values are no message, no buffer.
        self._require(1000 <= self.max_message_bytes <= 1_000_000_000, "max_message_bytes", "be 1,000 to 1,000,000,000")
        self._require(self.buffer_bytes >= self.max_message_bytes, "buffer_bytes", "be at least max_message_bytes")
        self._require(self.buffer_bytes <= MAX_COUNT * 1024, "buffer_bytes", f"be at most {MAX_COUNT:,} KiB")


class KafkaSubscriberConfig(KafkaClientConfig, frozen=True, kw_only=True):
    """How `KafkaSubscriber` receives. Offsets are stored by us, after settlement, and never by librdkafka.

    What messages have in bytes is their payload, key and headers; the latter two are read of one in about 2,000, and the others
    are taken to be like it: reading costs as much as half of all that happens to a message.

    Args:
        group_id: the consumer group; its members share the partitions, and it has one committed offset for each.
        start_from: where a partition without a committed offset begins; with `"latest"` one that was added after the group began
            is read from its beginning. An offset out of range later is an error.
        group_protocol: `"consumer"` is the new one (KIP-848, Apache Kafka 4.0 and newer).
        assignment_strategy: how the members share the partitions; with `"consumer"` the broker decides.
        group_instance_id: makes the members static: one that is back within `session_timeout` keeps its partitions. Each
            subscription is a member of its own, called after this, its handler and its topic, such as `pod-0-billing-events`.
        session_timeout: seconds without a heartbeat after which the group gives a member up; the broker's with `"consumer"`.
        heartbeat_interval: seconds between heartbeats; the broker's with `"consumer"`.
        max_poll_interval: seconds after which a client that is not polled counts as dead.
        commit_interval: seconds between commits of what has settled.
        buffer_messages: messages that may wait to be received before the poll thread waits for room.
        buffer_bytes: the same in bytes.
        max_pending: messages of one partition that may be delivered past the commit before it is paused.
        max_pending_bytes: bytes that may be delivered past the commit, in all partitions together, at least 2; one of several
            partitions is paused when it has more than are left.
        max_message_bytes: a message with a larger payload goes to the poison sink undecoded.
        pause_after: seconds that the poll thread waits for room before it pauses; a pause throws the prefetch away, about 1 s.
        nack_resend_delay: seconds before a message that was nacked outside a router is delivered again.
        warn_after: seconds that one message may keep the commit of its partition back before a warning names who holds it;
            three times the 60 s that one INSERT may take.

    Example:
        >>> config = KafkaSubscriberConfig(brokers=["localhost:9092"], group_id="billing", start_from="latest")
        >>> config.group_protocol, config.session_timeout
        ('classic', 45.0)
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
        require_words(self)
        self._refuse(SUBSCRIBER)
        checked_id("KafkaSubscriberConfig.group_id", self.group_id)
        if self.group_instance_id is not None:
            checked_name("KafkaSubscriberConfig.group_instance_id", self.group_instance_id)
        self._require_seconds("session_timeout", "heartbeat_interval", most=3600)
        self._require_seconds("max_poll_interval", "commit_interval", most=86_400)
        self._require_positive("warn_after")
        self._require_positive("buffer_messages", "buffer_bytes", "max_pending", "max_message_bytes")
        # Intake goes on once less than half of it is left, and less than half of 1 is never.
        self._require(self.max_pending_bytes >= 2, "max_pending_bytes", "be at least 2")
        for name in ("pause_after", "nack_resend_delay"):
            self._require(0 <= getattr(self, name) <= MAX_SECONDS, name, f"be 0 to {MAX_SECONDS:,} seconds")
        half = self.max_poll_interval / 2
        self._require(self.pause_after <= half, "pause_after", f"be at most half of max_poll_interval, {half:g}")
        if self.group_protocol == "classic":
            # As long as a session, each heartbeat would come when the member is given up.
            session, longest = self.session_timeout, self.max_poll_interval
            is_right = self.heartbeat_interval < session
            self._require(is_right, "heartbeat_interval", f"be less than session_timeout={session:g}")
            self._require(session <= longest, "session_timeout", f"be at most max_poll_interval={longest:g}")
