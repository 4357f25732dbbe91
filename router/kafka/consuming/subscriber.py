"""Receiving from Kafka."""

from __future__ import annotations

import threading

from ...errors import StateError, UndrainedError
from ...own_process import OwnProcess
from ...protocols import AssignmentListener
from ..config import KafkaSubscriberConfig
from .statistics import SubscriptionStatistics
from .subscription import KafkaSubscription


class KafkaSubscriber:
    """Opens subscriptions, each one a member of the consumer group with a consumer and a poll thread of its own. Thread-safe.

    An offset is committed only after its message and all before it are settled.
    """

    def __init__(self, config: KafkaSubscriberConfig) -> None:
        self.config = config
        self._lock = threading.Lock()
        self._subscriptions: list[KafkaSubscription] = []
        self._is_closed = False
        self._process = OwnProcess("Kafka subscriber")

    @property
    def places(self) -> frozenset[str]:
        """Its brokers; see `Located`."""
        return self.config.places

    @property
    def group_id(self) -> str:
        """Its consumer group; see `InGroup`."""
        return self.config.group_id

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> KafkaSubscription:
        """Join the group for *topic*. Returns at once; brokers that are away are waited for.

        Raises:
            StateError: closed, or made by another process (make it after the fork).
            ConfigurationError: librdkafka refuses a property.
        """
        self._process.require("make the subscriber in the child")
        with self._lock:
            if self._is_closed:
                raise StateError("the Kafka subscriber is closed")
            subscription = KafkaSubscription(topic, self.config, listener)
            self._subscriptions.append(subscription)
        return subscription

    def statistics(self) -> list[SubscriptionStatistics]:
        """Return how far each of its subscriptions is, in the order they were opened."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        return [subscription.statistics() for subscription in subscriptions]

    def close(self) -> None:
        """Close every subscription: commit what is settled, leave the group. May be called twice.

        Raises:
            UndrainedError: one did not close in order, see `KafkaSubscription.close`; the others were closed nevertheless.
            StateError: in a forked child, which has none of them.
        """
        self._process.require("only the process that made it can close it")
        with self._lock:
            self._is_closed = True
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.begin_close()
        undrained: UndrainedError | None = None
        for subscription in subscriptions:
            try:
                subscription.close()
            except UndrainedError as error:
                undrained = error
        if undrained is not None:
            raise undrained
