"""A lane: one topic of events with its own group, poison topic, throttle and batcher."""

import msgspec

from millstream.router import ConfigurationError


class LaneConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one lane; the names are those of the original.

    Args:
        enabled: whether it is consumed.
        topic: where its events come from.
        consumer_group: the group it is read with.
        topic_dlq: where messages go that cannot be handled: a topic, `"none"` (halt) or `"drop"`. There is no silent default.
        rate_limit: messages a second, `None` for no limit.
        concurrency: threads that decode and batch; order is kept per message key.
    """

    enabled: bool = True
    topic: str
    consumer_group: str
    topic_dlq: str
    rate_limit: float | None = None
    concurrency: int = 1

    def __post_init__(self) -> None:
        for name in ("topic", "consumer_group"):
            if not getattr(self, name):
                raise ConfigurationError(f"{name} must not be empty")
        if not self.topic_dlq:
            raise ConfigurationError(
                "topic_dlq must be chosen: a topic, 'none' (halt at a message that cannot be handled) or 'drop'"
            )
        if self.rate_limit is not None and self.rate_limit <= 0:
            raise ConfigurationError(
                f"rate_limit must be more than 0 messages/s, not {self.rate_limit:g}; leave it out for no limit"
            )
        if self.concurrency < 1:
            raise ConfigurationError(f"concurrency must be at least 1, not {self.concurrency}")


REGULAR = LaneConfig(topic="events", consumer_group="flexprice-consumer-local", topic_dlq="event_processing_dlq")
LAZY = LaneConfig(topic="events_lazy", consumer_group="v1_event_processing_lazy", topic_dlq="event_processing_lazy_dlq")
REPLAY = LaneConfig(
    enabled=False,
    topic="events_backfill",
    consumer_group="v1_event_processing_replay",
    topic_dlq="staging_events_dlq",
)
