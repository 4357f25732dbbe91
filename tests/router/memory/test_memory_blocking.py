"""Publishers and receivers of the in-memory pub/sub that wait for each other, and for the close."""

import sys
import threading

import pytest

from millstream.router import (
    InMemoryConfig,
    InMemoryPubSub,
    Message,
    StateError,
    SubscriptionClosed,
    TransientError,
)
from millstream.router.testing import ManualClock, eventually

FOREVER = 1e6
"""Seconds of a manual clock that nobody advances."""


class Background:
    """Something that blocks, on a thread of its own."""

    def __init__(self, action):
        self.result = self.error = None
        self._action = action
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self.result = self._action()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    @property
    def is_blocked(self):
        """Whether it has not returned."""
        return self._thread.is_alive()

    def ended(self):
        """Wait for its end."""
        self._thread.join(10.0)
        return not self._thread.is_alive()


def messages(count, first=0):
    """Return *count* numbered messages."""
    return [Message(b"%d" % number) for number in range(first, first + count)]


def test_publish_waits_for_room_and_goes_on_in_order():
    """The buffer never holds more than its bound; everything arrives."""
    pubsub = InMemoryPubSub(InMemoryConfig(buffer_messages=3))
    subscription = pubsub.subscribe("t")
    publisher = Background(lambda: pubsub.publish("t", *messages(20)))

    got = []
    while len(got) < 17:
        assert eventually(lambda: subscription.unread == 3)
        assert publisher.is_blocked
        got += subscription.receive(1, 0.0)

    assert publisher.ended()
    assert [int(message.payload) for message in got + subscription.receive(10, 0.0)] == list(range(20))


def test_one_full_subscription_stops_the_publisher_for_all():
    """Nothing is dropped for a slow reader; the fast one waits with it."""
    pubsub = InMemoryPubSub(InMemoryConfig(buffer_messages=1))
    slow, fast = pubsub.subscribe("t"), pubsub.subscribe("t")
    publisher = Background(lambda: [pubsub.publish("t", message) for message in messages(2)])
    assert len(fast.receive(1, 10.0)) == 1
    assert eventually(lambda: slow.unread == 1)
    waiting = (publisher.is_blocked, fast.receive(1, 0.0))

    slow.receive(1, 10.0)

    assert waiting == (True, [])
    assert len(fast.receive(1, 10.0)) == 1
    assert publisher.ended()


def test_publish_wakes_a_waiting_receiver():
    """The receiver waits for the message, not for its time-out."""
    clock = ManualClock()
    pubsub = InMemoryPubSub(clock=clock)
    subscription = pubsub.subscribe("t")
    receiver = Background(lambda: subscription.receive(10, FOREVER))
    assert clock.wait_for_waiters()

    pubsub.publish("t", Message(b"x"))

    assert receiver.ended()
    assert receiver.result == [Message(b"x", uuid=receiver.result[0].uuid)]


@pytest.mark.parametrize("reason", ["nacked", "full"])
def test_publish_to_another_partition_wakes_a_receiver_that_waits_for_one(reason):
    """A partition that may not be delivered, with messages waiting, does not hide the next message of another."""
    clock = ManualClock()
    pubsub = InMemoryPubSub(InMemoryConfig(partitions=2, max_pending=1), clock=clock)
    subscription = pubsub.subscribe("t")
    pubsub.publish("t", Message(b"first"))
    (first,) = subscription.receive(10, 0.0)
    pubsub.publish("t", Message(b"other"), Message(b"behind"))
    subscription.receive(10, 0.0)[0].ack()
    if reason == "nacked":
        first.nack()
    receiver = Background(lambda: subscription.receive(10, FOREVER))
    assert clock.wait_for_waiters()

    pubsub.publish("t", Message(b"free"))

    assert receiver.ended()
    assert [message.payload for message in receiver.result] == [b"free"]


@pytest.mark.parametrize("settle", ["ack", "release"])
def test_settling_wakes_a_receiver_that_waits_at_max_pending(settle):
    """An ack without a router, or the release of the last hold, makes room at once."""
    clock = ManualClock()
    pubsub = InMemoryPubSub(InMemoryConfig(max_pending=1), clock=clock)
    subscription = pubsub.subscribe("t")
    pubsub.publish("t", *messages(2))
    (first,) = subscription.receive(10, 0.0)
    hold = first.hold("owner")
    words = {"ack": first.ack, "release": hold.release}
    last = words.pop(settle)
    for word in words.values():
        word()
    receiver = Background(lambda: subscription.receive(10, FOREVER))
    assert clock.wait_for_waiters()

    last()

    assert receiver.ended()
    assert [message.payload for message in receiver.result] == [b"1"]


def test_receive_returns_nothing_at_its_time_out():
    """On the injected clock."""
    clock = ManualClock()
    subscription = InMemoryPubSub(clock=clock).subscribe("t")
    receiver = Background(lambda: subscription.receive(10, 2.0))
    assert clock.wait_for_waiters()

    clock.advance(2.0)

    assert receiver.ended()
    assert receiver.result == []


def test_blocking_publish_returns_when_every_subscription_has_settled_the_message():
    """An ack alone is not enough: holds count, too."""
    pubsub = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True))
    first, second = pubsub.subscribe("t"), pubsub.subscribe("t")
    publisher = Background(lambda: pubsub.publish("t", Message(b"x")))
    (own,), (other,) = first.receive(1, 10.0), second.receive(1, 10.0)
    hold = other.hold("owner")

    blocked = []
    for settle in (own.ack, other.ack, hold.release):
        blocked.append(publisher.is_blocked)
        settle()

    assert publisher.ended()
    assert blocked == [True, True, True]


def test_blocking_publish_waits_through_a_nack():
    """The message is settled by the ack of its redelivery."""
    pubsub = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True, nack_resend_delay=0.0))
    subscription = pubsub.subscribe("t")
    publisher = Background(lambda: pubsub.publish("t", Message(b"x")))
    subscription.receive(1, 10.0)[0].nack()

    (again,) = subscription.receive(1, 10.0)
    blocked = publisher.is_blocked
    again.ack()

    assert publisher.ended()
    assert blocked


@pytest.mark.parametrize(
    ("keep", "keeper"),
    [
        (lambda message: message.hold("batcher"), "held by batcher"),
        (lambda message: message.nack(), "its handler has failed 1 times, it is delivered again"),
        (lambda message: None, "not yet acked"),
    ],
    ids=["held", "nacked", "forgotten"],
)
def test_blocking_publish_gives_up_with_the_name_of_who_keeps_the_message(keep, keeper):
    """It stays published: it can still be settled, and would be delivered again."""
    clock = ManualClock()
    pubsub = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True, nack_resend_delay=FOREVER), clock=clock)
    subscription = pubsub.subscribe("t")
    publisher = Background(lambda: pubsub.publish("t", Message(b"x")))
    (message,) = subscription.receive(1, 10.0)
    keep(message)

    assert eventually(lambda: clock.advance(30.0) or not publisher.is_blocked)
    assert isinstance(publisher.error, TransientError)
    assert f"t[0]@0> is published, and not settled after 60 s: {keeper} (" in str(publisher.error)
    assert subscription.pending == 1


def test_blocking_publish_without_a_subscription_returns():
    """There is nobody to wait for."""
    pubsub = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True))

    publisher = Background(lambda: pubsub.publish("t", Message(b"x")))

    assert publisher.ended()
    assert publisher.error is None


CLOSERS = pytest.mark.parametrize(
    "close",
    [lambda pubsub, subscription: pubsub.close(), lambda pubsub, subscription: subscription.close()],
    ids=["pub/sub", "subscription"],
)


@CLOSERS
@pytest.mark.parametrize("until_ack", [False, True], ids=["waits for room", "waits for the ack"])
def test_close_frees_a_blocked_publisher(close, until_ack):
    """Nobody will read the rest: it is dropped, not waited for."""
    pubsub = InMemoryPubSub(InMemoryConfig(buffer_messages=1, block_publish_until_ack=until_ack))
    subscription = pubsub.subscribe("t")
    publisher = Background(lambda: pubsub.publish("t", *messages(1 if until_ack else 3)))
    assert eventually(lambda: subscription.unread == 1)
    was_blocked = publisher.is_blocked

    close(pubsub, subscription)

    assert publisher.ended()
    assert (was_blocked, publisher.error) == (True, None)


@CLOSERS
def test_close_ends_a_blocked_receiver(close):
    """It learns that there is nothing more to come."""
    clock = ManualClock()
    pubsub = InMemoryPubSub(clock=clock)
    subscription = pubsub.subscribe("t")
    receiver = Background(lambda: subscription.receive(10, FOREVER))
    assert clock.wait_for_waiters()

    close(pubsub, subscription)

    assert receiver.ended()
    assert isinstance(receiver.error, SubscriptionClosed)


@CLOSERS
def test_close_may_be_called_twice(close):
    """The second call changes nothing."""
    pubsub = InMemoryPubSub()
    subscription = pubsub.subscribe("t")

    close(pubsub, subscription)
    close(pubsub, subscription)

    with pytest.raises(SubscriptionClosed):
        subscription.receive(1, 0.0)


def test_closed_pubsub_refuses_publish_and_subscribe():
    """A message given to it would be lost without a word."""
    pubsub = InMemoryPubSub()
    pubsub.close()

    with pytest.raises(StateError, match="closed"):
        pubsub.publish("t", Message(b""))
    with pytest.raises(StateError, match="closed"):
        pubsub.subscribe("t")


def test_close_in_the_middle_of_a_subscribe_closes_the_new_subscription():
    """Its reader would otherwise wait for ever for messages that nobody can publish."""
    pubsub = InMemoryPubSub()

    class Closer:
        def assigned(self, assignments):
            pubsub.close()

        def revoked(self, assignments, deadline):
            raise AssertionError

        lost = revoked

    subscription = pubsub.subscribe("t", Closer())

    with pytest.raises(SubscriptionClosed):
        subscription.receive(1, 0.0)


def test_what_was_not_received_can_still_be_received_after_the_close():
    """The end comes when the subscription is empty, whatever was nacked before it."""
    pubsub = InMemoryPubSub(InMemoryConfig(nack_resend_delay=FOREVER))
    subscription = pubsub.subscribe("t")
    pubsub.publish("t", *messages(3))
    subscription.receive(1, 0.0)[0].nack()
    subscription.close()

    rest = subscription.receive(10, 0.0)

    assert [message.payload for message in rest] == [b"1", b"2"]
    assert all(message.assignment.is_closed for message in rest)
    with pytest.raises(SubscriptionClosed):
        subscription.receive(10, 0.0)


def test_close_commits_what_is_settled_and_nothing_later():
    """A settlement that comes after the close belongs to nobody; a nack after it delivers nothing."""
    pubsub = InMemoryPubSub(InMemoryConfig(nack_resend_delay=0.0))
    subscription = pubsub.subscribe("t")
    pubsub.publish("t", *messages(3))
    first, second, third = subscription.receive(10, 0.0)
    first.ack()

    subscription.close()
    second.ack()
    third.nack()

    assert subscription.committed == {0: 1}
    with pytest.raises(SubscriptionClosed):
        subscription.receive(10, 0.0)


def test_closed_subscription_gets_nothing_more_and_others_go_on():
    """The topic forgets it."""
    pubsub = InMemoryPubSub()
    closed, other = pubsub.subscribe("t"), pubsub.subscribe("t")
    pubsub.publish("t", Message(b"x"))
    closed.close()
    backlog = pubsub.backlog("t")

    pubsub.publish("t", Message(b"y"))

    assert (backlog, closed.unread, other.unread) == ((1, 1), 1, 2)


@pytest.fixture
def _eager_switching():
    """Let the interpreter switch threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_eager_switching")
def test_subscriptions_that_come_and_go_at_once_lose_nobody():
    """A subscription that opens while another closes gets what is published afterwards."""
    pubsub = InMemoryPubSub()
    for _ in range(500):
        leaving = pubsub.subscribe("t")
        barrier = threading.Barrier(2)
        closer = Background(lambda barrier=barrier, leaving=leaving: (barrier.wait(10.0), leaving.close()))
        barrier.wait(10.0)
        coming = pubsub.subscribe("t")
        assert closer.ended()

        pubsub.publish("t", Message(b"x"))

        assert coming.unread == 1
        coming.close()
