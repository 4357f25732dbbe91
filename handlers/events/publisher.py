"""Sending events to be consumed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from millstream.router import Message, Publisher, PublishError

from .event import Event
from .instant import with_whole_minutes
from .lanes import LAZY, REGULAR
from .post_processing import event_message


class EventPublisher:
    """Publishes events to the regular topic, and those of chosen tenants to the lazy one.

    Args:
        publisher: what sends them.
        topic, topic_lazy: the topics of the two lanes.
        route_tenants_on_lazy_mode: tenants whose events can wait, such as those that send in bulk.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        topic: str = REGULAR.topic,
        topic_lazy: str = LAZY.topic,
        route_tenants_on_lazy_mode: Collection[str] = (),
    ) -> None:
        self._publisher = publisher
        self._topic = topic
        self._topic_lazy = topic_lazy
        self._lazy_tenants = frozenset(route_tenants_on_lazy_mode)

    def publish(self, *events: Event) -> None:
        """Publish *events* and return once all are confirmed; events of one customer keep their order.

        Raises:
            PublishError: names those that were not confirmed.
        """
        lanes: dict[str, list[Message]] = {}
        for event in events:
            topic = self._topic_lazy if event.tenant_id in self._lazy_tenants else self._topic
            lanes.setdefault(topic, []).append(event_message(event, _encode(event)))
        failed: dict[str, Mapping[str, str]] = {}
        for topic, messages in lanes.items():
            try:
                self._publisher.publish(topic, *messages)
            except PublishError as error:
                failed[topic] = error.failures  # the other lane is published all the same
        if failed:
            raise PublishError(", ".join(failed), {uuid: why for each in failed.values() for uuid, why in each.items()})


def _encode(event: Event) -> bytes:
    timestamp = with_whole_minutes(event.timestamp)
    return msgspec.json.encode(
        event if timestamp is event.timestamp else msgspec.structs.replace(event, timestamp=timestamp)
    )
