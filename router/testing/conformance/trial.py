"""What one case works with: a topic and a group of its own, and everything that it opens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from types import TracebackType

from ...delivery.content import new_uuid
from ...delivery.message import Message
from ...errors import PublishError, SubscriptionClosed, UndrainedError
from ...protocols import DeliversRuns, Publisher, Subscriber, Subscription
from ...running.shutdown import Closable
from .checks import require
from .features import Features
from .reading import read, read_merged

PUBLISH_ATTEMPTS = 5
"""A broker may be busy electing or creating; the same as in the original suite."""
QUIET_SECONDS = 0.05
"""How long nothing may come when everything has come; the same as in the original suite."""

Pair = tuple[Publisher, Subscriber]


class Trial:
    """One case: its names, its pairs of publisher and subscriber, and its volumes. Closes everything, twice, at the end.

    Args:
        features: what the pub/sub promises.
        make_pubsub: opens a pair for a consumer group.
        make_topic: called with each topic before its first use.
        generate_topic: names one.
    """

    def __init__(
        self,
        features: Features,
        make_pubsub: Callable[[str], Pair],
        make_topic: Callable[[str], None],
        generate_topic: Callable[[], str],
    ) -> None:
        self.features = features
        self.topic = ""
        """The case's own, once it has begun."""
        self.group = f"group-{new_uuid()}"
        self._make_pubsub = make_pubsub
        self._make_topic = make_topic
        self._generate_topic = generate_topic
        self._pairs: dict[str, list[Pair]] = {}
        self._subscriptions: list[Subscription] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Trial:
        self.topic = self.new_topic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_all()

    def new_topic(self) -> str:
        """Let a topic be created; returns its name."""
        topic = self._generate_topic()
        self._make_topic(topic)
        return topic

    def volume(self, full: int, short: int) -> int:
        """Return the number that the features call for."""
        return short if self.features.force_short else full

    def open(self, group: str | None = None) -> Pair:
        """Return a further pair of publisher and subscriber of *group*; the one there is, where one is all there may be."""
        name = self.group if group is None else group
        if not self.features.require_single_instance:
            pair = self._make_pubsub(name)
            self._pairs.setdefault(name, []).append(pair)
            return pair
        with self._lock:
            if name not in self._pairs:
                self._pairs[name] = [self._make_pubsub(name)]
            return self._pairs[name][0]

    @property
    def publisher(self) -> Publisher:
        """The publisher of the case's newest pair."""
        return self._newest()[0]

    @property
    def subscriber(self) -> Subscriber:
        """The subscriber of the case's newest pair."""
        return self._newest()[1]

    def _newest(self) -> Pair:
        pairs = self._pairs.get(self.group)
        return pairs[-1] if pairs else self.open()

    def reopen(self) -> None:
        """Leave and come back: close what the case has open, each twice, so that the next use opens anew."""
        self._close_subscriptions()
        if not self.features.require_single_instance:
            self._close_all()

    def _close_subscriptions(self) -> None:
        self._close_twice(self._subscriptions)
        self._subscriptions.clear()

    def _close_all(self) -> None:
        pairs = [pair for pairs in self._pairs.values() for pair in pairs]
        self._pairs.clear()
        self._subscriptions.clear()
        self._close_twice([subscriber for _, subscriber in pairs])
        self._close_twice([publisher for publisher, _ in pairs])

    def _close_twice(self, neighbours: Sequence[Closable]) -> None:
        """Close each of *neighbours*, and again, all at the same time: leaving a group may take seconds."""

        def close(neighbour: Closable) -> None:
            with self.undrained_is_allowed():
                neighbour.close()
            neighbour.close()

        with ThreadPoolExecutor(max(1, len(neighbours))) as closers:
            list(closers.map(close, neighbours))

    def undrained_is_allowed(self) -> AbstractContextManager[None]:
        """Ignore that a close did not commit all, where members share a topic: what comes again is looked at."""
        is_shared = self.features.consumer_groups and not self.features.require_single_instance
        return suppress(UndrainedError) if is_shared else nullcontext()

    def subscribe(self, topic: str | None = None, subscriber: Subscriber | None = None) -> Subscription:
        """Subscribe to *topic*, by default the case's, with *subscriber*, by default the newest."""
        chosen = self.subscriber if subscriber is None else subscriber
        subscription = chosen.subscribe(self.topic if topic is None else topic)
        if self.features.delivers_runs:
            ask_for_runs(subscription)
        self._subscriptions.append(subscription)
        return subscription

    def watch(self, topic: str) -> Subscription:
        """Subscribe to *topic* from outside the case's group, if there are groups: it then disturbs no rebalance."""
        if self.features.consumer_groups:
            return self.subscribe(topic, self.open(f"group-{new_uuid()}")[1])
        return self.subscribe(topic)

    def subscribe_many(self, count: int, topic: str | None = None) -> list[Subscription]:
        """Return subscriptions of *count* subscribers of the case's group; one, where one instance is all there may be."""
        if self.features.require_single_instance:
            return [self.subscribe(topic)]
        return [self.subscribe(topic, self.open()[1]) for _ in range(count)]

    def publish(self, messages: Sequence[Message], topic: str | None = None) -> None:
        """Publish *messages* in one call; those that were not confirmed again, a few times."""
        place = self.topic if topic is None else topic
        publisher = self.publisher
        rest = list(messages)
        for _ in range(PUBLISH_ATTEMPTS - 1):
            try:
                publisher.publish(place, *rest)
            except PublishError as error:
                failures = error.failures
                rest = [message for message in rest if message.uuid in failures]
            else:
                return
        publisher.publish(place, *rest)

    def publish_parallel(self, messages: Iterable[Message], threads: int) -> None:
        """Publish each of *messages* in a call of its own, from *threads* threads."""
        self._newest()  # made here, not by each thread
        with ThreadPoolExecutor(threads) as publishers:
            list(publishers.map(lambda message: self.publish([message]), messages))

    def feed(self, messages: Sequence[Message], topic: str | None = None) -> Subscription:
        """Publish *messages* and subscribe: in this order where they are kept, else in the other."""
        if self.features.persistent:
            self.publish(messages, topic)
            return self.subscribe(topic)
        subscription = self.subscribe(topic)
        self.publish(messages, topic)
        return subscription

    def read(self, subscription: Subscription, count: int) -> list[Message]:
        """Receive and ack *count* messages; with exactly-once delivery require that nothing follows."""
        by_uuid = not self.features.exactly_once
        messages = read(subscription, count, self.features.idle_timeout, by_uuid=by_uuid)
        if self.features.exactly_once:
            require_quiet(subscription)
        return messages

    def read_merged(self, subscriptions: Sequence[Subscription], count: int) -> list[Message]:
        """Receive and ack *count* messages from all of *subscriptions* together."""
        by_uuid = not self.features.exactly_once
        return read_merged(subscriptions, count, self.features.idle_timeout, by_uuid=by_uuid)


def ask_for_runs(subscription: Subscription) -> None:
    """Let what *subscription* has come in runs from now on; they are taken apart for who receives messages."""
    if isinstance(subscription, DeliversRuns):
        subscription.receive_entries(0, 0.0)
    else:
        require(False, f"a {type(subscription).__name__} delivers no runs")


def require_quiet(subscription: Subscription) -> None:
    """Require that nothing more comes from *subscription*."""
    try:
        extra = subscription.receive(1, QUIET_SECONDS)
    except SubscriptionClosed:
        return
    require(not extra, f"a message came that should not have: {extra}")
