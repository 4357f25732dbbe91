"""What the in-memory pub/sub delivers, where and in which order."""

import threading
from collections import defaultdict

import pytest

from millstream.router import ConfigurationError, InMemoryConfig, InMemoryPubSub, Message


def published(pubsub, *payloads, topic="t", **fields):
    """Publish a message for each payload."""
    pubsub.publish(topic, *[Message(payload, **fields) for payload in payloads])


def received(subscription, count=1000):
    """Receive what is there now."""
    messages = []
    while chunk := subscription.receive(count, 0.0):
        messages.extend(chunk)
    return messages


def payloads(messages):
    """Return their payloads."""
    return [message.payload for message in messages]


def test_messages_of_one_partition_come_in_the_order_they_were_published():
    """First in, first out, in chunks of at most the wanted size."""
    pubsub = InMemoryPubSub()
    subscription = pubsub.subscribe("t")

    published(pubsub, b"a", b"b")
    published(pubsub, b"c", b"d", b"e")

    assert payloads(subscription.receive(2, 0.0)) == [b"a", b"b"]
    assert payloads(subscription.receive(2, 0.0)) == [b"c", b"d"]
    assert payloads(subscription.receive(2, 0.0)) == [b"e"]
    assert subscription.receive(2, 0.0) == []


def test_message_arrives_with_its_content_and_place():
    """uuid, metadata and key as published; topic, partition, offset and time as a broker adds them."""
    pubsub = InMemoryPubSub()
    subscription = pubsub.subscribe("t")
    message = Message(b"x", uuid="u", metadata={"a": "1"}, key=b"k")

    pubsub.publish("t", message, message)
    first, second = received(subscription)

    assert first == message
    assert (first.key, first.topic, first.partition, first.offset) == (b"k", "t", 0, 0)
    assert second.offset == 1
    assert first.timestamp > 1.7e9
    assert first.assignment is second.assignment
    assert (message.topic, message.offset, message.assignment) == ("", -1, None)


def test_every_subscription_gets_every_message_for_itself():
    """One may change and settle its copy without the other's knowing."""
    pubsub = InMemoryPubSub()
    first, second = pubsub.subscribe("t"), pubsub.subscribe("t")
    metadata = {"a": "1"}
    published(pubsub, b"x", metadata=metadata)

    (own,), (other,) = received(first), received(second)
    own.metadata["a"] = "2"
    own.ack()

    assert (other.payload, other.metadata, metadata, other.is_acked) == (b"x", {"a": "1"}, {"a": "1"}, False)
    assert (first.committed, second.committed) == ({0: 1}, {0: 0})


def test_topics_are_apart():
    """A subscription sees its own topic only."""
    pubsub = InMemoryPubSub()
    subscription = pubsub.subscribe("t")

    published(pubsub, b"other", topic="u")
    published(pubsub, b"own")

    assert payloads(received(subscription)) == [b"own"]


def test_message_published_without_a_subscription_is_dropped():
    """A later subscription begins with what is published after it."""
    pubsub = InMemoryPubSub()
    published(pubsub, b"lost")
    subscription = pubsub.subscribe("t")

    published(pubsub, b"kept")

    assert payloads(received(subscription)) == [b"kept"]


def test_persistent_topic_begins_at_the_beginning_for_everybody():
    """Whoever comes later gets all of it, past the bound of its buffer, in order with what follows."""
    pubsub = InMemoryPubSub(InMemoryConfig(persistent=True, buffer_messages=2))
    published(pubsub, *[b"%d" % number for number in range(5)])
    subscription = pubsub.subscribe("t")
    first = received(subscription)

    published(pubsub, b"5")

    assert payloads(first + received(subscription)) == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_messages_of_one_key_share_a_partition():
    """That is what keeps their order; different keys spread."""
    pubsub = InMemoryPubSub(InMemoryConfig(partitions=4))
    subscription = pubsub.subscribe("t")
    keys = [b"key-%d" % number for number in range(40)]
    for _ in range(2):
        for key in keys:
            published(pubsub, b"", key=key)

    places = defaultdict(set)
    for message in received(subscription):
        places[message.key].add(message.partition)

    assert all(len(partitions) == 1 for partitions in places.values())
    assert len(places) == 40
    assert set.union(*places.values()) == {0, 1, 2, 3}


def test_messages_without_a_key_go_to_each_partition_in_turn():
    """Offsets count per partition."""
    pubsub = InMemoryPubSub(InMemoryConfig(partitions=3))
    subscription = pubsub.subscribe("t")
    published(pubsub, *[b"%d" % number for number in range(6)])

    places = {message.payload: (message.partition, message.offset) for message in received(subscription)}

    assert places == {b"0": (0, 0), b"1": (1, 0), b"2": (2, 0), b"3": (0, 1), b"4": (1, 1), b"5": (2, 1)}


def test_chunk_is_of_one_partition_and_partitions_take_turns():
    """A full partition does not starve the others."""
    pubsub = InMemoryPubSub(InMemoryConfig(partitions=2))
    subscription = pubsub.subscribe("t")
    published(pubsub, *[b""] * 8)

    turns = [[message.partition for message in subscription.receive(2, 0.0)] for _ in range(4)]

    assert turns == [[0, 0], [1, 1], [0, 0], [1, 1]]


def test_committed_is_the_first_offset_that_is_not_settled():
    """Per partition; a message settled out of order waits."""
    pubsub = InMemoryPubSub(InMemoryConfig(partitions=2))
    subscription = pubsub.subscribe("t")
    published(pubsub, *[b""] * 6)
    messages = {(message.partition, message.offset): message for message in received(subscription)}
    seen = [subscription.committed]

    for place in [(0, 1), (1, 0), (0, 0), (0, 2)]:
        messages[place].ack()
        seen.append(subscription.committed)

    assert seen == [{0: 0, 1: 0}, {0: 0, 1: 0}, {0: 0, 1: 1}, {0: 2, 1: 1}, {0: 3, 1: 1}]


def test_committed_waits_for_holds():
    """An ack is no commit while somebody holds."""
    pubsub = InMemoryPubSub()
    subscription = pubsub.subscribe("t")
    published(pubsub, b"")
    (message,) = received(subscription)
    hold = message.hold("owner")
    message.ack()
    held = subscription.committed

    hold.release()

    assert (held, subscription.committed) == ({0: 0}, {0: 1})


def test_pending_counts_what_is_not_settled():
    """Published, received or held: all the same until it is settled; `unread` counts only what nobody has received."""
    pubsub = InMemoryPubSub()
    subscription = pubsub.subscribe("t")
    published(pubsub, b"", b"", b"")
    seen = [(subscription.pending, subscription.unread)]
    first, second = subscription.receive(2, 0.0)
    seen.append((subscription.pending, subscription.unread))
    second.ack()
    seen.append((subscription.pending, subscription.unread))
    first.ack()

    assert [*seen, (subscription.pending, subscription.unread)] == [(3, 3), (3, 1), (3, 1), (1, 1)]


def test_backlog_is_the_sum_over_the_subscriptions_of_a_topic():
    """Unread and unsettled."""
    pubsub = InMemoryPubSub()
    first, _ = pubsub.subscribe("t"), pubsub.subscribe("t")
    published(pubsub, b"", b"")
    first.receive(1, 0.0)[0].ack()

    assert (pubsub.backlog("t"), pubsub.backlog("unknown")) == ((3, 3), (0, 0))


def test_delivery_stops_at_max_pending_and_goes_on_when_messages_settle():
    """No chunk goes past the bound; other partitions go on."""
    pubsub = InMemoryPubSub(InMemoryConfig(partitions=2, max_pending=3))
    subscription = pubsub.subscribe("t")
    published(pubsub, *[b""] * 10)
    first = received(subscription)
    by_partition = [[message for message in first if message.partition == number] for number in (0, 1)]

    by_partition[0][1].ack()
    behind = received(subscription)
    by_partition[0][0].ack()
    after = received(subscription)

    assert [len(messages) for messages in by_partition] == [3, 3]
    assert behind == []
    assert [(message.partition, message.offset) for message in after] == [(0, 3), (0, 4)]


def test_listener_hears_of_the_assignments_before_the_first_message():
    """The router has to know them by then."""
    heard = []

    class Listener:
        def assigned(self, assignments):
            heard.extend(assignments)

        def revoked(self, assignments, deadline):
            raise AssertionError

        lost = revoked

    pubsub = InMemoryPubSub(InMemoryConfig(partitions=2, persistent=True))
    published(pubsub, b"", b"")
    subscription = pubsub.subscribe("t", Listener())
    at_subscribe = [(assignment.topic, assignment.partition) for assignment in heard]
    messages = received(subscription)

    assert at_subscribe == [("t", 0), ("t", 1)]
    assert all(message.assignment is heard[message.partition] for message in messages)


def test_concurrent_publishers_lose_nothing_and_each_keeps_its_order():
    """Offsets have no gap and no double, whoever publishes."""
    pubsub = InMemoryPubSub(InMemoryConfig(partitions=3, buffer_messages=50))
    subscription = pubsub.subscribe("t")
    count, publishers = 400, 4

    def publish(name):
        for number in range(0, count, 4):
            published(pubsub, *[b"%d" % (number + step) for step in range(4)], key=b"%d" % name)

    threads = [threading.Thread(target=publish, args=(name,)) for name in range(publishers)]
    for thread in threads:
        thread.start()
    messages = []
    while len(messages) < count * publishers:
        messages.extend(subscription.receive(100, 10.0))
    for thread in threads:
        thread.join(10.0)

    by_key, offsets = defaultdict(list), defaultdict(list)
    for message in messages:
        by_key[message.key].append(int(message.payload))
        offsets[message.partition].append(message.offset)
    assert all(numbers == list(range(count)) for numbers in by_key.values())
    assert len(by_key) == publishers
    assert all(numbers == list(range(len(numbers))) for numbers in offsets.values())


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"partitions": 0}, "partitions"),
        ({"buffer_messages": 0}, "buffer_messages"),
        ({"max_pending": 0}, "max_pending"),
        ({"nack_resend_delay": -0.1}, "nack_resend_delay"),
        ({"nack_resend_delay": float("inf")}, "nack_resend_delay"),
        ({"nack_resend_delay": float("nan")}, "nack_resend_delay"),
        ({"warn_after": float("nan")}, "warn_after"),
        ({"ack_timeout": 0.0}, "ack_timeout"),
        ({"ack_timeout": float("nan")}, "ack_timeout"),
    ],
)
def test_impossible_settings_are_refused_by_name(options, name):
    """Before anything runs."""
    with pytest.raises(ConfigurationError, match=rf"InMemoryConfig\.{name}"):
        InMemoryConfig(**options)
