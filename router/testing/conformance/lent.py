"""Neighbours that a router may use but not close: a router closes what it was given, a case still needs it."""

from __future__ import annotations

from ...delivery.message import Message
from ...protocols import AssignmentListener, Publisher, Subscriber, Subscription


class LentSubscriber:
    """Implements `Subscriber`; its `close` does nothing, as the router has closed its own subscriptions by then."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> Subscription:
        """Subscribe with what was lent."""
        return self._subscriber.subscribe(topic, listener)

    def close(self) -> None:
        """Do nothing."""


class LentPublisher:
    """Implements `Publisher`; its `close` does nothing."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def publish(self, topic: str, *messages: Message) -> None:
        """Publish with what was lent."""
        self._publisher.publish(topic, *messages)

    def close(self) -> None:
        """Do nothing."""
