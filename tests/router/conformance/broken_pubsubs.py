"""Pub/subs that break one promise each, to see that the suite notices, and one whose broker restarts."""

import itertools
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
)
from millstream.router.testing import ConformanceSuite, Features

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
        self, inner: Subscriber, change: Callable[[list[Message]], list[Message]], topic: str | None = None
    ) -> None:
        self._inner = inner
        self._change = change
        self._topic = topic

    def subscribe(self, topic: str, listener: AssignmentListener | None = None) -> Subscription:
        """Subscribe to *topic*, or to the one topic that it knows."""
        return ChangedSubscription(self._inner.subscribe(self._topic or topic, listener), self._change)

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


class Sharing(Passing):
    """Gives the two groups of a topic one position."""

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open the only group."""
        return self.pubsub, self.pubsub.group("the only one")


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
    """A pub/sub whose broker can be restarted, and often refuses, as around a restart."""

    features = msgspec.structs.replace(GROUPS, restartable=True)

    def __init__(self) -> None:
        super().__init__()
        self.restarts = 0

    def make_pubsub(self, group: str) -> tuple[Publisher, Subscriber]:
        """Open a group and a publisher that refuses now and then."""
        return RefusingPublisher(self.pubsub, self.refuse), self.pubsub.group(group)

    def restart_service(self) -> None:
        """Count the restart."""
        self.restarts += 1

    def refuse(self, error: PublishError) -> None:
        """Say that a message did not get out."""
        raise error


class LosingAtRestart(Restarting):
    """A broker that confirms what it refused."""

    features = msgspec.structs.replace(IMPATIENT, restartable=True)

    def refuse(self, error: PublishError) -> None:
        """Say nothing."""


class RefusingPublisher:
    """Refuses every tenth call."""

    def __init__(self, inner: Publisher, refuse: Callable[[PublishError], None]) -> None:
        self._inner = inner
        self._refuse = refuse
        self._calls = itertools.count(1)

    def publish(self, topic: str, *messages: Message) -> None:
        """Publish, or do with every tenth call what was asked for."""
        if next(self._calls) % 10:
            self._inner.publish(topic, *messages)
        else:
            self._refuse(PublishError(topic, {message.uuid: "the broker restarts" for message in messages}))

    def close(self) -> None:
        """Close the publisher behind it."""
        self._inner.close()
