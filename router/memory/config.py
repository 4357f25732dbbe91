"""Settings of the in-memory pub/sub."""

import msgspec

from ..errors import ConfigurationError

MAX_SECONDS = 1_000_000_000
"""31 years: what waits without end, or for what is no number, never comes again."""


class InMemoryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How `InMemoryPubSub` behaves.

    Args:
        partitions: per topic; a message goes to the one its key hashes to, without a key to each in turn.
        buffer_messages: messages a subscription may have waiting before `publish` waits for it.
        max_pending: messages of one partition that may be delivered and not settled before no more are delivered.
        nack_resend_delay: seconds before a message that was nacked outside a router is delivered again.
        block_publish_until_ack: let `publish` return only when every subscription has settled the message.
        ack_timeout: seconds that such a `publish` waits for one message, before it raises; then the message stays where it is,
            and is delivered until it is settled. Infinite: without end.
        warn_after: seconds that one message may keep the commit of its partition back before a warning names who holds it;
            three times the 60 s that one INSERT may take.
        persistent: keep all messages, without bound, for subscriptions that come later.

    Example:
        >>> broker = InMemoryPubSub(InMemoryConfig(partitions=4, block_publish_until_ack=True))
    """

    partitions: int = 1
    buffer_messages: int = 10_000
    max_pending: int = 250_000
    nack_resend_delay: float = 0.1
    block_publish_until_ack: bool = False
    ack_timeout: float = 60.0
    persistent: bool = False
    warn_after: float = 180.0

    def __post_init__(self) -> None:
        for name in ("partitions", "buffer_messages", "max_pending"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"InMemoryConfig.{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.nack_resend_delay <= MAX_SECONDS:
            rule = f"be 0 to {MAX_SECONDS:,} seconds"
            raise ConfigurationError(f"InMemoryConfig.nack_resend_delay must {rule}, not {self.nack_resend_delay}")
        for name in ("ack_timeout", "warn_after"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"InMemoryConfig.{name} must be more than 0, not {getattr(self, name)}")
