"""Sending events to be consumed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from millstream.router import ConfigurationError, Message, Publisher, PublishError

from .create import encode_event
from .event import Event
from .grouping import MAX_BATCH_BYTES, MAX_BATCH_SIZE, group_events
from .lanes import BULK, LAZY, REGULAR
from .post_processing import event_message


class EventPublisher:
    """Publishes events to the regular topic, those of chosen tenants to the lazy one, and many at once to the bulk one.

    `Settings.event_publisher` makes one of what `[kafka]` and the lanes say.

    Args:
        publisher: what sends them.
        topic, topic_lazy, topic_bulk: the topics of the lanes.
        route_tenants_on_lazy_mode: tenants whose events can wait, such as those that send many; not for `publish_bulk`.
        bulk_max_batch_size: events in one bulk message.
        bulk_max_batch_bytes: bytes of its payload; an event that needs more goes alone.

    Raises:
        ConfigurationError: a bulk message could hold nothing.

    Example:
        >>> from datetime import UTC, datetime
        >>> from millstream.router.testing import RecordingPublisher
        >>> sent = RecordingPublisher()
        >>> who = {"tenant_id": "acme", "environment_id": "prod", "customer_id": "c-1"}
        >>> event = create_event({"bytes": 512}, id="1", event_name="call", timestamp=datetime.now(UTC), **who)
        >>> EventPublisher(sent).publish(event)
        >>> [message.metadata["tenant_id"] for message in sent.messages("events")]
        ['acme']
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        topic: str = REGULAR.topic,
        topic_lazy: str = LAZY.topic,
        topic_bulk: str = BULK.topic,
        route_tenants_on_lazy_mode: Collection[str] = (),
        bulk_max_batch_size: int = MAX_BATCH_SIZE,
        bulk_max_batch_bytes: int = MAX_BATCH_BYTES,
    ) -> None:
        if isinstance(route_tenants_on_lazy_mode, str):
            raise ConfigurationError("route_tenants_on_lazy_mode must be a list of tenants, not a text")
        for name, value in {
            "bulk_max_batch_size": bulk_max_batch_size,
            "bulk_max_batch_bytes": bulk_max_batch_bytes,
        }.items():
            if value < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {value}")
        self._publisher = publisher
        self._topic = topic
        self._topic_lazy = topic_lazy
        self._topic_bulk = topic_bulk
        self._lazy_tenants = frozenset(route_tenants_on_lazy_mode)
        self._max_size = bulk_max_batch_size
        self._max_bytes = bulk_max_batch_bytes

    def publish(self, *events: Event) -> None:
        """Publish *events*, a message each, and return once all are confirmed; events of one customer keep their order.

        Raises:
            PublishError: names those that were not confirmed.
        """
        lanes: dict[str, list[Message]] = {}
        for event in events:
            topic = self._topic_lazy if event.tenant_id in self._lazy_tenants else self._topic
            lanes.setdefault(topic, []).append(event_message(event, encode_event(event)))
        failed: dict[str, Mapping[str, str]] = {}
        for topic, messages in lanes.items():
            try:
                self._publisher.publish(topic, *messages)
            except PublishError as error:
                failed[topic] = error.failures  # the other lane is published all the same
        if failed:
            raise PublishError(", ".join(failed), {uuid: why for each in failed.values() for uuid, why in each.items()})

    def publish_bulk(self, *events: Event) -> None:
        """Publish *events* in a few messages for the bulk lane, and return once all are confirmed.

        One group per tenant and environment, closed by number and bytes; a tenant's events keep their order.

        Raises:
            PublishError: names, by their ids, the events of each message that was not confirmed.
        """
        groups = group_events(events, max_size=self._max_size, max_bytes=self._max_bytes)
        if not groups:
            return
        messages = [group.message() for group in groups]
        try:
            self._publisher.publish(self._topic_bulk, *messages)
        except PublishError as error:
            failures = {
                event.id: _reason(error, place, messages)
                for place in sorted(error.places([message.uuid for message in messages]))
                for event in groups[place].events
            }
            raise PublishError(self._topic_bulk, failures) from error


def _reason(error: PublishError, place: int, messages: Sequence[Message]) -> str:
    by_place = error.positions.get(place)
    return by_place or error.failures.get(messages[place].uuid) or str(error)
