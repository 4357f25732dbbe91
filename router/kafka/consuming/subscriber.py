"""Receiving from Kafka."""

from __future__ import annotations

import itertools
import threading

import msgspec

from ...errors import StateError, UndrainedError
from ...own_process import OwnProcess
from ...protocols import AssignmentListener, Named
from ..client_config import require_config
from ..config import KafkaSubscriberConfig
from ..names import checked_topic, name_of
from .statistics import SubscriptionStatistics
from .subscription import KafkaSubscription


class KafkaSubscriber:
    """Opens subscriptions, each one a member of the consumer group with a consumer and a poll thread of its own. Thread-safe.

    An offset is committed only after its message and all before it are settled.

    Example:
        >>> subscriber = KafkaSubscriber(KafkaSubscriberConfig(brokers=["localhost:9092"], group_id="printers"))
        >>> Router().add_consumer_handler("printer", "orders", subscriber, print)
        <Handler 'printer' on 'orders'>
    """

    def __init__(self, config: KafkaSubscriberConfig) -> None:
        require_config("KafkaSubscriber", config, KafkaSubscriberConfig)
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

    def check_topic(self, topic: object) -> None:
        """Raise ConfigurationError unless *topic* may be the name of one; see `ChecksTopics`."""
        checked_topic(topic)

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> KafkaSubscription:
        """Join the group for *topic*. Returns at once; brokers that are away are waited for.

        A static member is named after its handler (the `name` of *listener*, if it has one) and *topic* as well.

        Raises:
            StateError: closed, or made by another process (make it after the fork).
            ConfigurationError: *topic* cannot be a topic's name, or librdkafka refuses a property.
        """
        self._process.require("make the subscriber in the child")
        topic = checked_topic(topic)
        handler = (listener.name,) if isinstance(listener, Named) else ()
        with self._lock:
            if self._is_closed:
                raise StateError("the Kafka subscriber is closed")
            subscription = KafkaSubscription(topic, self._config_of(*handler, topic), listener)
            self._subscriptions.append(subscription)
        return subscription

    def _config_of(self, *parts: str) -> KafkaSubscriberConfig:
        """Return the settings of one subscription. Two members with one instance id would fence each other."""
        instance = self.config.group_instance_id
        if instance is None:
            return self.config
        taken = {each.instance_id for each in self._subscriptions if each.is_open}
        more = (name_of(instance, *parts, str(number)) for number in itertools.count(2))
        own = next(name for name in itertools.chain([name_of(instance, *parts)], more) if name not in taken)
        return msgspec.structs.replace(self.config, group_instance_id=own)

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
