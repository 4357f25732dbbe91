"""A consumer group on the in-memory pub/sub: it goes on where it had committed when its last subscription closed.

A topic has one subscription of a group at a time: partitions are not shared out, so there is nothing to rebalance.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from ..errors import StateError
from ..protocols import AssignmentListener
from .subscription import InMemorySubscription

Opener = Callable[
    [str, AssignmentListener | None, Mapping[int, int], Callable[[InMemorySubscription], None]], InMemorySubscription
]
"""Opens a subscription of a topic from a position per partition on, and is told whom to call when it has closed."""


class Commits:
    """What a group has committed per topic and partition, and its open subscriptions. Outlives its subscribers."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a subscription that is closed while it opens leaves at once
        self.positions: dict[str, dict[int, int]] = {}
        self.open: dict[str, InMemorySubscription] = {}

    def leave(self, topic: str, subscription: InMemorySubscription) -> None:
        """Keep what *subscription*, which has closed, had committed; a second call, by a second close, does nothing."""
        with self.lock:
            if self.open.get(topic) is not subscription:
                return
            del self.open[topic]
            positions = self.positions.setdefault(topic, {})
            for partition, next_offset in subscription.committed.items():
                positions[partition] = max(next_offset, positions.get(partition, 0))


class InMemoryGroup:
    """The subscriber of one consumer group; implements `Subscriber`. Made by `InMemoryPubSub.group`. Thread-safe."""

    def __init__(self, name: str, commits: Commits, places: frozenset[int], opener: Opener) -> None:
        self.name = self.group_id = name
        self.places = places
        """Its pub/sub; see `Located`."""
        self._commits = commits
        self._opener = opener
        self._own: list[InMemorySubscription] = []
        self._is_closed = False

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> InMemorySubscription:
        """Receive what the group has not committed of *topic*, and what is published from now on.

        Raises:
            StateError: closed, or the group has an open subscription of the topic.
        """
        commits = self._commits
        with commits.lock:
            if self._is_closed:
                raise StateError(f"the subscriber of group {self.name!r} is closed")
            if topic in commits.open:
                raise StateError(f"group {self.name!r} reads topic {topic!r} already: close that subscription first")
            positions = commits.positions.get(topic, {})
            subscription = self._opener(topic, listener, positions, lambda own: commits.leave(topic, own))
            commits.open[topic] = subscription
            self._own.append(subscription)
        return subscription

    def close(self) -> None:
        """End the subscriptions that this subscriber opened; the group and the pub/sub live on. May be called twice."""
        with self._commits.lock:
            self._is_closed = True
        for subscription in self._own:
            subscription.close()
