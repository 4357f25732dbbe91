"""A pub/sub inside the process: for tests, demos and single-process pipelines.

It survives nothing: what is in it when the process ends is gone. Within the process the delivery contract is the one of
every other transport.
"""

from __future__ import annotations

import itertools
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from ..callables import require_instance
from ..clock import MONOTONIC, Clock
from ..delivery.message import Message
from ..errors import ConfigurationError, StateError, TransientError
from ..protocols import AssignmentListener
from .config import InMemoryConfig
from .group import Commits, InMemoryGroup
from .placed import Placed
from .subscription import InMemorySubscription


class _Topic:
    """The subscriptions of one topic and the next offset of each partition."""

    def __init__(self, name: str, config: InMemoryConfig) -> None:
        self.name = name
        self.config = config
        self.lock = threading.Lock()
        self.subscriptions: list[InMemorySubscription] = []
        self.history: list[Placed] = []
        self._membership = threading.Lock()
        self._next_offsets = [0] * config.partitions
        self._turn = itertools.count()

    def add(self, subscription: InMemorySubscription) -> None:
        """Hand all that is published from now on to *subscription*."""
        with self._membership:
            self.subscriptions = [*self.subscriptions, subscription]

    def forget(self, subscription: InMemorySubscription) -> None:
        """Hand nothing more to *subscription*. Does not take `lock`: a publisher that waits for its room holds that one."""
        with self._membership:
            self.subscriptions = [each for each in self.subscriptions if each is not subscription]

    def place(self, messages: Sequence[Message]) -> list[Placed]:
        """Give *messages* their partitions, offsets and time."""
        timestamp = datetime.now(UTC).timestamp()
        return [self._place(message, timestamp) for message in messages]

    def _place(self, message: Message, timestamp: float) -> Placed:
        turn = next(self._turn) if message.key is None else zlib.crc32(message.key)
        partition = turn % self.config.partitions
        offset = self._next_offsets[partition]
        self._next_offsets[partition] = offset + 1
        return Placed(message, self.name, partition, offset, timestamp)


class InMemoryPubSub:
    """Publisher and subscriber in one. Every subscription of a topic gets every message published while it lasts.

    Bounded and in order per partition: `publish` waits for a subscription that is full. A message published to a topic
    without a subscription is dropped, unless the pub/sub is `persistent`. Thread-safe.

    Example:
        >>> broker = InMemoryPubSub()
        >>> subscription = broker.subscribe("greetings")
        >>> broker.publish("greetings", Message(b"hello"))
        >>> [message] = subscription.receive(10, timeout=1.0)
        >>> message.payload, message.ack()
        (b'hello', True)
        >>> broker.close()
    """

    def __init__(self, config: InMemoryConfig | None = None, *, clock: Clock = MONOTONIC) -> None:
        if config is not None:
            require_instance("InMemoryPubSub(config)", config, InMemoryConfig, "InMemoryConfig(…)")
        self.config = InMemoryConfig() if config is None else config
        self._clock = clock
        self._lock = threading.Lock()
        self._topics: dict[str, _Topic] = {}
        self._groups: dict[str, Commits] = {}
        self._is_closed = False

    @property
    def places(self) -> frozenset[int]:
        """Itself; see `Located`."""
        return frozenset([id(self)])

    def find_topic(self, topic: str) -> None:
        """Return where what is published to *topic* comes to somebody, or is kept; see `FindsTopics`.

        Raises:
            TransientError: nobody has subscribed yet, and it would be dropped.
        """
        if not self.config.persistent and not self._topic(topic).subscriptions:
            raise TransientError(
                f"nobody reads {topic!r} yet, and without InMemoryConfig(persistent=True) what comes there is dropped"
            )

    def publish(self, topic: str, *messages: Message) -> None:
        """Hand *messages* to every subscription of *topic*, in order; waits for room, and for acks where configured.

        Raises:
            StateError: closed.
            TransientError: waited `ack_timeout` for a message to be settled; says who keeps it. It stays published.
        """
        self._require_open()
        place = self._topic(topic)
        with place.lock:
            placed = place.place(messages)
            if self.config.persistent:
                place.history.extend(each.kept() for each in placed)
            handed = [(subscription, subscription.offer(placed)) for subscription in place.subscriptions]
        if self.config.block_publish_until_ack:
            for subscription, own in handed:
                subscription.wait_settled(own)

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> InMemorySubscription:
        """Receive what is published to *topic* from now on; with `persistent`, from the beginning."""
        return self._open(topic, listener, {}, _ignore)

    def group(self, name: str) -> InMemoryGroup:
        """Return a subscriber of the consumer group *name*, which goes on where the group's last subscription had committed.

        A group that is new to a topic begins at the beginning of it.

        Raises:
            ConfigurationError: the pub/sub is not `persistent`, so there is nothing to come back to.
        """
        if not self.config.persistent:
            raise ConfigurationError(f"group {name!r} needs InMemoryConfig(persistent=True): else nothing waits for it")
        with self._lock:
            commits = self._groups.setdefault(name, Commits())
        return InMemoryGroup(name, commits, self.places, self._open)

    def _open(
        self,
        topic: str,
        listener: AssignmentListener | None,
        positions: Mapping[int, int],
        on_close: Callable[[InMemorySubscription], None],
    ) -> InMemorySubscription:
        """Open a subscription from *positions* on, a partition without one from its beginning."""
        self._require_open()
        place = self._topic(topic)

        def forget(subscription: InMemorySubscription) -> None:
            place.forget(subscription)
            on_close(subscription)

        subscription = InMemorySubscription(topic, self.config, self._clock, listener, forget)
        with place.lock:
            old = [each for each in place.history if each.offset >= positions.get(each.partition, 0)]
            subscription.offer(old, wait=False)
            place.add(subscription)
        if self._is_closed:
            subscription.close()  # `close` may have looked before it was there
        return subscription

    def backlog(self, topic: str) -> tuple[int, int]:
        """Return the messages of *topic* that were not received yet, and those that are not settled, over all subscriptions."""
        subscriptions = self._topic(topic).subscriptions
        return sum(each.unread for each in subscriptions), sum(each.pending for each in subscriptions)

    def close(self) -> None:
        """End every subscription; `publish` and `subscribe` raise from now on. May be called twice."""
        self._is_closed = True
        for topic in list(self._topics.values()):
            for subscription in list(topic.subscriptions):
                subscription.close()

    def _topic(self, name: str) -> _Topic:
        with self._lock:
            if name not in self._topics:
                self._topics[name] = _Topic(name, self.config)
            return self._topics[name]

    def _require_open(self) -> None:
        if self._is_closed:
            raise StateError("the in-memory pub/sub is closed")


def _ignore(subscription: InMemorySubscription) -> None:
    """Do nothing: what a subscription without a group has committed is nobody's."""
