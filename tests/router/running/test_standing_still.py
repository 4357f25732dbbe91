"""One message that cannot be handled stops its partition, or its key, and nobody else: at any depth."""

import zlib

import pytest

from millstream.router import InMemoryConfig, InMemoryPubSub, Message, Router, RouterConfig
from millstream.router.testing import FakeSubscriber, eventually, running

pytestmark = pytest.mark.slow  # thousands of messages that wait: tenths of a second each

DEPTH = 15_000
AT_ONCE = RouterConfig(nack_resend_delay=0.01, max_nack_resend_delay=0.05)


class Stuck:
    """A handler that fails at one payload for as long as it is told to."""

    def __init__(self):
        self.is_failing = True
        self.seen = []

    def __call__(self, message) -> None:
        """Note what is handled."""
        if message.payload == b"bad" and self.is_failing:
            raise ConnectionError("away")
        self.seen.append((message.partition, message.payload))

    def of(self, partition):
        """Return what was handled of *partition*."""
        return [payload for place, payload in self.seen if place == partition]


def test_other_partitions_go_on_however_many_wait_behind_a_message():
    """15,000 wait behind it; a hundred of the other partition are handled and committed meanwhile, and then all in order."""
    handler, subscriber, router = Stuck(), FakeSubscriber(2), Router(AT_ONCE)
    router.add_consumer_handler("h", "t", subscriber, handler)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"bad", *[b"%d" % number for number in range(DEPTH)], partition=0)
        subscription.deliver(*[b"x"] * 100, partition=1)
        assert subscription.wait_committed(100, partition=1)
        behind = handler.of(0)
        subscription.deliver(*[b"y"] * 100, partition=1)
        assert subscription.wait_committed(200, partition=1)
        handler.is_failing = False
        assert subscription.wait_committed(DEPTH + 1, partition=0, timeout=30)

    assert behind == []
    assert handler.of(0) == [b"bad", *[b"%d" % number for number in range(DEPTH)]]


def test_other_keys_go_on_with_concurrency():
    """With several threads it is the key that waits, whichever thread has it."""
    handler, subscriber, router = Stuck(), FakeSubscriber(), Router(AT_ONCE)
    router.add_consumer_handler("h", "t", subscriber, handler, concurrency=2)

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"bad", *[b"behind"] * DEPTH, key=b"stuck")
        others = [subscription.deliver(b"x", key=b"key %d" % number)[0] for number in range(100)]
        assert eventually(lambda: all(message.is_acked for message in others), timeout=30)
        behind = [payload for _, payload in handler.seen if payload == b"behind"]
        handler.is_failing = False
        assert subscription.wait_committed(DEPTH + 101, timeout=30)

    assert behind == []


def test_every_key_may_wait_for_itself():
    """An outage parks each key alone: as many as there are messages, which costs no look at all of them."""
    handler, subscriber, router = Stuck(), FakeSubscriber(), Router(AT_ONCE)
    router.add_consumer_handler("h", "t", subscriber, handler, concurrency=2)

    with running(router):
        subscription = subscriber.subscription
        for number in range(2000):
            subscription.deliver(b"bad", key=b"%d" % number)
        assert eventually(lambda: all(message.delivery.is_running for message in subscription.messages), timeout=30)
        handler.is_failing = False
        assert subscription.wait_committed(2000, timeout=30)


def test_backlog_is_worked_off_beside_the_other_partitions():
    """What waited behind the message is handled in chunks: it does not make the others wait for all of it."""
    handler, subscriber, router = Stuck(), FakeSubscriber(2), Router(AT_ONCE)
    router.add_consumer_handler("h", "t", subscriber, handler)

    with running(router):
        subscription = subscriber.subscription
        messages = subscription.deliver(b"bad", *[b"behind"] * DEPTH, partition=0)
        assert eventually(lambda: not subscription.messages[-1].assignment.is_closing and messages[0].redeliveries >= 1)
        subscription.deliver(b"first", partition=1)
        assert subscription.wait_committed(1, partition=1)
        handler.is_failing = False
        assert eventually(lambda: handler.of(0))
        subscription.deliver(b"second", partition=1)
        assert subscription.wait_committed(DEPTH + 1, partition=0, timeout=30)
        assert subscription.wait_committed(2, partition=1)

    assert handler.seen.index((1, b"second")) < len(handler.seen) - 1


@pytest.mark.parametrize("max_pending", [20_000, 1_000])
def test_in_memory_partition_stands_still_alone(max_pending):
    """Past `max_pending` the partition is given no more; publishers of the others never wait for it."""
    config = InMemoryConfig(partitions=2, buffer_messages=DEPTH + 1000, max_pending=max_pending)
    handler, pubsub, router = Stuck(), InMemoryPubSub(config), Router(AT_ONCE)
    router.add_consumer_handler("h", "t", pubsub, handler)
    left, right = key_of(0), key_of(1)

    with running(router):
        pubsub.publish("t", Message(b"bad", key=left), *[Message(b"behind", key=left) for _ in range(DEPTH)])
        pubsub.publish("t", *[Message(b"x", key=right) for _ in range(100)])
        assert eventually(lambda: len(handler.of(1)) == 100)
        behind = handler.of(0)
        handler.is_failing = False
        assert eventually(lambda: len(handler.of(0)) == DEPTH + 1, timeout=30)

    assert behind == []


def key_of(partition):
    """Return a key that goes to *partition* of two."""
    return next(key for key in (b"%d" % number for number in range(100)) if zlib.crc32(key) % 2 == partition)
