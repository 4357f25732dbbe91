"""Telling the post-processing service about stored events."""

from __future__ import annotations

from collections.abc import Sequence

from millstream.router import ConfigurationError, HaltedError, Message, Publisher, PublishError, StateError

from .event import Event


def partition_key(event: Event) -> str:
    """Return what keeps the events of one customer in order: `tenant_id:external_customer_id`, or the tenant alone."""
    if event.external_customer_id:
        return f"{event.tenant_id}:{event.external_customer_id}"
    return event.tenant_id


def event_message(event: Event, payload: bytes) -> Message:
    """Return the message that carries *event*: uuid, metadata and key as every service on these topics expects them."""
    key = partition_key(event)
    metadata = {"tenant_id": event.tenant_id, "environment_id": event.environment_id, "partition_key": key}
    return Message(payload, uuid=event.id, metadata=metadata, key=key.encode())


class PostProcessor:
    """Publishes stored events to the topic of the post-processing service, confirmed before their offsets are committed.

    Args:
        publisher: what sends them.
        topic: where they go.
        max_retries: further attempts for what was not confirmed; what then fails goes to the poison sink.

    Example:
        >>> from millstream.handlers.testing import FakeStore
        >>> told = PostProcessor(InMemoryPubSub(), "events_stored")
        >>> EventConsumptionService(EventRepository(FakeStore()), post_processor=told).stats.post_process_errors
        0
    """

    def __init__(self, publisher: Publisher, topic: str, *, max_retries: int = 3) -> None:
        self.publisher = publisher
        self.topic = topic
        self.max_retries = max_retries

    def publish(self, events: Sequence[Event], payloads: Sequence[bytes]) -> dict[int, Exception]:
        """Publish each event's JSON and wait; returns the error of each that was not confirmed, by its place.

        Raises:
            HaltedError: the publisher is closed, which no event is to blame for.
            ConfigurationError: nor for what people have to mend.
        """
        messages = [event_message(event, payload) for event, payload in zip(events, payloads, strict=True)]
        try:
            self.publisher.publish(self.topic, *messages)
        except PublishError as error:
            failed: dict[int, Exception] = {
                place: error for place, message in enumerate(messages) if message.uuid in error.failures
            }
            if failed:
                return failed
            return dict.fromkeys(range(len(messages)), error)  # it names others than were sent: which got out?
        except StateError as error:
            raise HaltedError(f"post-processing to {self.topic!r} cannot go on: {error}") from error
        except (ConfigurationError, HaltedError):
            raise
        except Exception as error:  # noqa: BLE001 - a publisher of any make: nothing is known to be confirmed
            return dict.fromkeys(range(len(messages)), error)
        return {}
