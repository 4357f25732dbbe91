"""The lanes of the settings, attached to a router: each with its group, its poison topic and its subscriber."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from millstream.handlers.batching import MessageBatcher
from millstream.handlers.events import EventConsumptionService, LaneConfig
from millstream.handlers.settings.sections import Settings
from millstream.router import ConfigurationError, Handler, KafkaSubscriber, KafkaSubscriberConfig, Publisher, Router


class RunningLane(msgspec.Struct, frozen=True):
    """A lane that was attached: what is asked of it while it runs."""

    section: str
    config: LaneConfig
    handler: Handler
    batcher: MessageBatcher
    subscriber: KafkaSubscriber


class LaneAttacher:
    """Attaches lanes.

    Args:
        settings: what the lanes are, and where Kafka is.
        brokers: win over those of the settings.
        instance: makes static members, called after it and their handlers; `None`: as the settings say.
    """

    def __init__(self, settings: Settings, brokers: Sequence[str], instance: str | None = None) -> None:
        self._settings = settings
        self._brokers = brokers
        self._fields = {} if instance is None else {"group_instance_id": instance}

    def enabled(self) -> dict[str, LaneConfig]:
        """Return the lanes that are consumed, by section.

        Raises:
            ConfigurationError: there are none.
        """
        lanes = {section: lane for section, lane in self._settings.lanes.items() if lane.enabled}
        if not lanes:
            raise ConfigurationError(
                "no lane is enabled: set enabled = true in one of them, such as [event_processing]"
            )
        return lanes

    def topics_to_publish(self) -> dict[str, str]:
        """Return the topics that are written to, by the setting that names them."""
        topics = {
            f"{section}.topic_dlq": lane.poison_topic
            for section, lane in self.enabled().items()
            if lane.poison_topic is not None
        }
        post_processing = self._settings.post_processing.topic
        return topics if post_processing is None else {**topics, "post_processing.topic": post_processing}

    def subscriber_config(self, lane: LaneConfig) -> KafkaSubscriberConfig:
        """Return the settings of the lane's subscriber."""
        return self._settings.kafka.subscriber_config(lane.consumer_group, self._brokers, **self._fields)

    def attach(
        self, service: EventConsumptionService, router: Router, publisher: Publisher | None
    ) -> Iterator[RunningLane]:
        """Attach every enabled lane to *router*; *publisher* sends poison records."""
        for section, lane in self.enabled().items():
            register, batcher = _parts(service)[section]
            subscriber = KafkaSubscriber(self.subscriber_config(lane))
            handler = register(router, subscriber, lane=lane, publisher=publisher)
            if handler is not None:
                yield RunningLane(section, lane, handler, batcher, subscriber)


def _parts(service: EventConsumptionService) -> dict[str, tuple[Callable[..., Handler | None], MessageBatcher]]:
    return {
        "event_processing": (service.register_handler, service.message_batcher),
        "event_processing_lazy": (service.register_handler_lazy, service.lazy_message_batcher),
        "event_processing_replay": (service.register_handler_replay, service.replay_message_batcher),
        "bulk_event_consumption": (service.register_bulk_handler, service.bulk_message_batcher),
    }
