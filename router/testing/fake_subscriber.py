"""The subscriber of one consumer group on a broker that a test drives."""

from __future__ import annotations

from collections.abc import Callable

from ..protocols import AssignmentListener
from .fake_run_subscription import FakeRunSubscription
from .fake_subscription import FakePartition, FakeSubscription, ignore


class FakeSubscriber:
    """The broker of one test, and the subscriber of one consumer group on it; implements `Subscriber`.

    Args:
        partitions: of each topic. A subscription gets all of them at once.
        error: what `subscribe` raises.
        record: called with a short text for each commit of a revoke and each close, for tests of an order.
        in_runs: deliver what one `deliver` brings as a run, as Kafka does, to a handler that takes runs; see `Handler.take_runs`.
    """

    def __init__(
        self,
        partitions: int = 1,
        *,
        error: BaseException | None = None,
        record: Callable[[str], None] = ignore,
        in_runs: bool = False,
    ) -> None:
        self.subscriptions: list[FakeSubscription] = []
        """In the order they were opened."""
        self.close_count = 0
        self._count = partitions
        self._error = error
        self._record = record
        self._kind = FakeRunSubscription if in_runs else FakeSubscription
        self._topics: dict[str, dict[int, FakePartition]] = {}

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> FakeSubscription:
        """Open a subscription that has every partition of *topic*."""
        if self._error is not None:
            raise self._error
        partitions = self._topics.setdefault(topic, {number: FakePartition() for number in range(self._count)})
        subscription = self._kind(topic, partitions, listener, self._record)
        subscription.assign(*partitions)
        self.subscriptions.append(subscription)
        return subscription

    @property
    def subscription(self) -> FakeSubscription:
        """The newest subscription."""
        return self.subscriptions[-1]

    def close(self) -> None:
        """Close every subscription, and count the call."""
        self.close_count += 1
        for subscription in self.subscriptions:
            subscription.close()
        self._record("close subscriber")
