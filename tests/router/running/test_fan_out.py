"""Dealing one subscription out to several threads."""

import threading

import pytest

from millstream.router import InMemoryConfig, InMemoryPubSub, Message, SubscriptionClosed
from millstream.router.delivery.run import CHUNK_MESSAGES
from millstream.router.running.fan_out import MAX_QUEUED, FanOut, Share
from millstream.router.testing import eventually

MOST_TAKEN = MAX_QUEUED + CHUNK_MESSAGES
"""What one share can keep from its subscription: a full queue and the chunk that waits for room."""


class Source:
    """A subscription of scripted chunks; closed at their end."""

    def __init__(self, *chunks):
        self.received = 0
        self._chunks = list(chunks)

    def receive(self, max_messages, timeout):
        """Return the next chunk, or raise it."""
        if not self._chunks:
            raise SubscriptionClosed
        self.received += 1
        chunk = self._chunks.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk

    def close(self):
        """Nothing is held."""


def numbered(count, keys):
    """Return *count* messages with these keys in turn."""
    return [Message(b"%d" % number, key=keys[number % len(keys)], partition=0) for number in range(count)]


def drained(share):
    """Receive everything of a share whose source is closed."""
    messages = []
    while True:
        try:
            messages += share.receive(100, 10.0)
        except SubscriptionClosed:
            return messages


def test_messages_of_one_key_go_to_one_share_in_order():
    """Every message goes to exactly one share; the keys spread."""
    keys = [b"key-%d" % number for number in range(20)]
    messages = numbered(200, keys)
    fan_out = FanOut("h", Source(messages[:70], [], messages[70:]), 3)

    fan_out.thread.start()
    hands = [drained(share) for share in fan_out.shares]

    owners = [{message.key for message in hand} for hand in hands]
    assert sorted(int(message.payload) for hand in hands for message in hand) == list(range(200))
    assert all(hand == sorted(hand, key=lambda message: int(message.payload)) for hand in hands)
    assert sum(map(len, owners)) == len(set.union(*owners)) == 20
    assert all(owners)


def test_messages_without_a_key_keep_the_order_of_their_partition():
    """A partition without keys stays on one share."""
    messages = [Message(b"%d" % number, partition=number % 4) for number in range(40)]
    fan_out = FanOut("h", Source(messages), 2)

    fan_out.thread.start()
    hands = [drained(share) for share in fan_out.shares]

    assert [sorted({message.partition for message in hand}) for hand in hands] == [[0, 2], [1, 3]]
    assert all(hand == sorted(hand, key=lambda message: int(message.payload)) for hand in hands)


def backlog(count):
    """Return a subscription with *count* messages of one partition."""
    pubsub = InMemoryPubSub(InMemoryConfig(buffer_messages=count))
    subscription = pubsub.subscribe("t")
    pubsub.publish("t", *numbered(count, [None]))
    return subscription


def test_full_share_stops_the_intake_until_it_is_read():
    """Key order allows no overtaking, so what is queued, and the chunk in hand, is bounded for all."""
    count = 3 * MOST_TAKEN
    subscription = backlog(count)
    fan_out = FanOut("h", subscription, 2)
    share = fan_out.shares[0]
    fan_out.thread.start()
    assert eventually(lambda: count - subscription.unread == MOST_TAKEN)

    received, taken = [], []
    while len(received) < count:
        received += share.receive(100, 10.0)
        taken.append(count - subscription.unread - len(received))
    fan_out.stop()

    assert max(taken) <= MOST_TAKEN
    assert [int(message.payload) for message in received] == list(range(count))
    assert eventually(lambda: not fan_out.thread.is_alive)


def test_stop_ends_a_wait_for_room():
    """A shutdown does not wait for a share that nobody reads."""
    subscription = backlog(2 * MOST_TAKEN)
    fan_out = FanOut("h", subscription, 1)
    fan_out.thread.start()
    assert eventually(lambda: subscription.unread == MOST_TAKEN)

    fan_out.stop()

    assert eventually(lambda: not fan_out.thread.is_alive)
    assert fan_out.thread.error is None


def test_shares_end_when_the_subscription_is_closed():
    """What is in them is received first."""
    fan_out = FanOut("h", Source(numbered(3, [None])), 2)

    fan_out.thread.start()

    assert [len(drained(share)) for share in fan_out.shares] == [3, 0]
    assert fan_out.thread.error is None


def test_error_of_the_subscription_is_kept_and_ends_the_shares():
    """Its owner sees it; no thread waits for a share that will never get anything."""
    error = ValueError("broken")
    fan_out = FanOut("h", Source(numbered(1, [None]), error), 2)

    fan_out.thread.start()

    assert [len(drained(share)) for share in fan_out.shares] == [1, 0]
    assert eventually(lambda: fan_out.thread.error is error)


def test_receive_of_an_empty_share_ends_at_its_time_out():
    """Its thread looks whether it should stop or retry something."""
    assert Share().receive(10, 0.0) == []


def test_receive_gives_chunks_of_at_most_the_wanted_size():
    """In order."""
    share = Share()
    share.put(numbered(5, [None]), lambda: False)

    chunks = [share.receive(2, 0.0) for _ in range(4)]

    assert [[int(message.payload) for message in chunk] for chunk in chunks] == [[0, 1], [2, 3], [4], []]


def test_put_wakes_a_waiting_receiver():
    """It waits for messages, not for its time-out."""
    share, got = Share(), []
    thread = threading.Thread(target=lambda: got.extend(share.receive(10, 60.0)))
    thread.start()

    share.put(numbered(1, [None]), lambda: False)
    thread.join(10.0)

    assert len(got) == 1


def test_close_wakes_a_waiting_receiver():
    """There is nothing more to come."""
    share, ends = Share(), []

    def receive():
        with pytest.raises(SubscriptionClosed):
            share.receive(10, 60.0)
        ends.append(1)

    thread = threading.Thread(target=receive)
    thread.start()

    share.close()
    thread.join(10.0)

    assert ends == [1]
