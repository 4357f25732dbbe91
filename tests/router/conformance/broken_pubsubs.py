"""Pub/subs that break one promise each, to see that the suite notices, and one whose broker restarts."""

from collections.abc import Callable

import msgspec

from millstream.router import (
    AssignmentListener,
    InMemoryConfig,
    InMemoryPubSub,
    Message,
    Publisher,
    PublishError,
    Subscriber,
    Subscription,
    SubscriptionClosed,
)
from millstream.router.testing import ConformanceSuite, Features
from millstream.router.testing.conformance.reading import read

GROUPS = Features(
    consumer_groups=True,
    guaranteed_order=True,
    persistent=True,
    require_single_instance=True,
    new_subscriber_receives_old_messages=True,
    force_short=True,
)
"""What all of these pub/subs promise."""
IMPATIENT = msgspec.structs.replace(GROUPS, idle_timeout=0.5)
"""The same for those from which something will be missing: nobody need wait long for it."""


class Passing(ConformanceSuite):
    """A pub/sub that is in order; the broken ones derive from it."""

    features = GROUPS

    def __init__(self) -> None:
        self.pubsub = InMemoryPubSub(InMemoryConfig(partitions=4, persistent=True, nack_resend_delay=0.01))

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a group."""
        return self.pubsub, self.pubsub.group(group)


class ChangedSubscription:
    """A subscription whose chunks go through *change*."""

    def __init__(self, inner: Subscription, change: Callable[[list[Message]], list[Message]]) -> None:
        self._inner = inner
        self._change = change

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Receive a changed chunk."""
        return self._change(self._inner.receive(max_messages, timeout))

    def close(self) -> None:
        """Close what was changed."""
        self._inner.close()


class ChangedSubscriber:
    """A subscriber that changes what its subscriptions deliver."""

    def __init__(
        self,
        inner: Subscriber,
        change: Callable[[list[Message]], list[Message]],
        topic: str | None = None,
        kind: type[ChangedSubscription] = ChangedSubscription,
    ) -> None:
        self._inner = inner
        self._change = change
        self._topic = topic
        self._kind = kind

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> Subscription:
        """Subscribe to *topic*, or to the one topic that it knows."""
        return self._kind(self._inner.subscribe(self._topic or topic, listener), self._change)

    def close(self) -> None:
        """Close what was changed."""
        self._inner.close()


class Changed(Passing):
    """A pub/sub with a fault in what it delivers."""

    features = IMPATIENT

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a group whose chunks are changed."""
        return self.pubsub, ChangedSubscriber(self.pubsub.group(group), self.change)

    def change(self, chunk: list[Message]) -> list[Message]:
        """Return the chunk with the fault."""
        return chunk


class Losing(Changed):
    """Loses one message of ten."""

    def change(self, chunk: list[Message]) -> list[Message]:
        """Drop and ack every message whose number ends in 7."""
        for message in chunk:
            if message.payload.endswith(b"7"):
                message.ack()
        return [message for message in chunk if not message.payload.endswith(b"7")]


class Garbling(Changed):
    """Forgets the metadata."""

    def change(self, chunk: list[Message]) -> list[Message]:
        """Return the messages without metadata."""
        for message in chunk:
            message.metadata = {}
        return chunk


class Shuffling(Changed):
    """Turns chunks around."""

    def change(self, chunk: list[Message]) -> list[Message]:
        """Return the messages the wrong way round."""
        return chunk[::-1]


class Committing(Changed):
    """Commits what it delivers, settled or not."""

    def change(self, chunk: list[Message]) -> list[Message]:
        """Return messages that settle nothing, of which the originals are settled."""
        for message in chunk:
            message.ack()
        fields = ("uuid", "metadata", "key", "topic", "partition", "offset")
        return [Message(each.payload, **{name: getattr(each, name) for name in fields}) for each in chunk]


class Repeating(Passing):
    """Forgets where its groups were."""

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a subscriber that always begins at the beginning."""
        return self.pubsub, Uncommitted(self.pubsub)


class Uncommitted:
    """A subscriber of no group, which does not close its pub/sub."""

    def __init__(self, pubsub: InMemoryPubSub) -> None:
        self._pubsub = pubsub

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> Subscription:
        """Begin at the beginning."""
        return self._pubsub.subscribe(topic, listener)

    def close(self) -> None:
        """Do nothing."""


class Splitting(Changed):
    """Takes all groups for one: what one of them has received does not come to the others."""

    def __init__(self) -> None:
        super().__init__()
        self.queues: dict[str, Subscription] = {}

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open the only group."""
        return self.pubsub, OneQueueSubscriber(self.pubsub.group("the only one"), self.queues)


class OneQueueSubscriber:
    """Returns the same subscription to everybody who asks for a topic; nobody can close it."""

    def __init__(self, inner: Subscriber, queues: dict[str, Subscription]) -> None:
        self._inner = inner
        self._queues = queues

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> Subscription:
        """Open the one subscription, or return it."""
        if topic not in self._queues:
            self._queues[topic] = OpenSubscription(self._inner.subscribe(topic, listener))
        return self._queues[topic]

    def close(self) -> None:
        """Do nothing."""


class OpenSubscription(ChangedSubscription):
    """A subscription that others go on with when one closes it."""

    def __init__(self, inner: Subscription) -> None:
        super().__init__(inner, list)

    def close(self) -> None:
        """Do nothing."""


class Endless(Changed):
    """Never says that a subscription has ended."""

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a group whose subscriptions say nothing of their end."""
        return self.pubsub, ChangedSubscriber(self.pubsub.group(group), list, kind=EndlessSubscription)


class EndlessSubscription(ChangedSubscription):
    """Looks like an idle one once it is closed."""

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Receive a chunk, an empty one after the end."""
        try:
            return super().receive(max_messages, timeout)
        except SubscriptionClosed:
            return []


class Greedy(Changed):
    """Hands out more than it is asked for."""

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a group whose subscriptions take twice as many."""
        return self.pubsub, ChangedSubscriber(self.pubsub.group(group), list, kind=GreedySubscription)


class GreedySubscription(ChangedSubscription):
    """Knows better what a receiver needs."""

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Receive a chunk of twice the size."""
        return super().receive(2 * max_messages, timeout)


class Scattering(Changed):
    """Forgets which messages belong together: each comes with a key of its own."""

    def change(self, chunk: list[Message]) -> list[Message]:
        """Return the messages with other keys."""
        for message in chunk:
            message.key = b"%d" % message.offset
        return chunk


class Doubling(Repeating):
    """Gives everything to each member of a group."""

    features = msgspec.structs.replace(IMPATIENT, clean_handover=True, require_single_instance=False)


class Crashing(Passing):
    """A pub/sub whose reader, if it crashes, has committed what it acked."""

    features = msgspec.structs.replace(GROUPS, crashable=True)

    def crash_reader(self, group: str, topic: str, count: int) -> None:
        """Read, and end; nothing in this process can crash."""
        subscription = self.make_pubsub(group)[1].subscribe(topic)
        read(subscription, count, self.features.idle_timeout, verdict=self.finish)
        subscription.close()

    def finish(self, message: Message) -> None:
        """Ack *message*."""
        message.ack()


class CommittingAtTheEnd(Crashing):
    """Commits nothing before a reader says good-bye."""

    def finish(self, message: Message) -> None:
        """Forget the ack in the crash."""


class Mixing(Passing):
    """Puts all topics into one."""

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a pair that knows one topic."""
        return OneTopicPublisher(self.pubsub), ChangedSubscriber(Uncommitted(self.pubsub), list, "all")


class OneTopicPublisher:
    """Publishes everything to one topic."""

    def __init__(self, inner: Publisher) -> None:
        self._inner = inner

    def publish(self, topic: str, *messages: Message) -> None:
        """Publish to the one topic."""
        self._inner.publish("all", *messages)

    def close(self) -> None:
        """Close the publisher behind it."""
        self._inner.close()


class Restarting(Passing):
    """A pub/sub whose broker can be taken away: publishing then fails."""

    features = msgspec.structs.replace(GROUPS, restartable=True)

    def __init__(self) -> None:
        super().__init__()
        self.is_stopped = False
        self.restarts = 0

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a group and a publisher that knows whether the broker is there."""
        return StoppablePublisher(self.pubsub, self.refuse), self.pubsub.group(group)

    def stop_service(self) -> None:
        """Refuse everything from now on."""
        self.is_stopped = True

    def start_service(self) -> None:
        """Take everything again, and count the restart."""
        self.is_stopped = False
        self.restarts += 1

    def refuse(self, error: PublishError) -> bool:
        """Raise *error* while the broker is away; returns whether the message is lost."""
        if self.is_stopped:
            raise error
        return False


class LosingAtRestart(Restarting):
    """A broker that confirms one message more when it goes, without having it."""

    features = msgspec.structs.replace(GROUPS, restartable=True, idle_timeout=2.0)

    def __init__(self) -> None:
        super().__init__()
        self._is_to_lose = False

    def stop_service(self) -> None:
        """Refuse everything but one message."""
        self._is_to_lose = True
        super().stop_service()

    def refuse(self, error: PublishError) -> bool:
        """Lose one message."""
        is_lost, self._is_to_lose = self._is_to_lose, False
        return is_lost or super().refuse(error)


class Unstoppable(Restarting):
    """A service whose stop does nothing."""

    features = msgspec.structs.replace(IMPATIENT, restartable=True)

    def stop_service(self) -> None:
        """Do nothing."""


class StoppablePublisher:
    """Asks before every call whether the broker is there."""

    def __init__(self, inner: Publisher, refuse: Callable[[PublishError], bool]) -> None:
        self._inner = inner
        self._refuse = refuse

    def publish(self, topic: str, *messages: Message) -> None:
        """Publish, unless the broker is away or loses it."""
        if not self._refuse(PublishError(topic, {message.uuid: "the broker is away" for message in messages})):
            self._inner.publish(topic, *messages)

    def close(self) -> None:
        """Close the publisher behind it."""
        self._inner.close()
