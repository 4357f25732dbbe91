"""A consumer group of the in-memory pub/sub goes on where it had committed."""

import threading

import pytest

from millstream.router import ConfigurationError, InMemoryConfig, InMemoryPubSub, Message, StateError

PERSISTENT = InMemoryConfig(persistent=True)


def received(subscription):
    """Receive what is there now."""
    messages = []
    while chunk := subscription.receive(1000, 0.0):
        messages.extend(chunk)
    return messages


def payloads(messages):
    """Return their payloads."""
    return [message.payload for message in messages]


def test_group_goes_on_where_its_last_subscription_had_committed():
    """Expect what was not settled to come again, with what follows it and what was published meanwhile."""
    pubsub = InMemoryPubSub(PERSISTENT)
    group = pubsub.group("billing")
    first = group.subscribe("t")
    pubsub.publish("t", *[Message(b"%d" % number) for number in range(4)])
    zero, one, two, _ = received(first)
    zero.ack()
    one.ack()
    hold = two.hold("somebody")
    two.ack()
    first.close()
    pubsub.publish("t", Message(b"4"))
    hold.release()

    second = group.subscribe("t")

    assert payloads(received(second)) == [b"2", b"3", b"4"]
    assert first.committed == {0: 2}


def test_position_is_kept_per_partition():
    """Expect each partition to go on by itself, also one of which nothing was read the second time."""
    pubsub = InMemoryPubSub(InMemoryConfig(persistent=True, partitions=2))
    group = pubsub.group("billing")
    pubsub.publish("t", *[Message(b"%d" % number) for number in range(6)])
    first = group.subscribe("t")
    for message in received(first):
        if message.partition == 0:
            message.ack()
    first.close()
    group.subscribe("t").close()

    third = group.subscribe("t")

    assert payloads(received(third)) == [b"1", b"3", b"5"]


def test_subscriber_of_the_same_name_is_the_same_group():
    """Expect the position to outlive the subscriber that a router closes."""
    pubsub = InMemoryPubSub(PERSISTENT)
    pubsub.publish("t", Message(b"0"))
    first = pubsub.group("billing")
    (message,) = received(first.subscribe("t"))
    message.ack()
    first.close()
    first.close()

    again, other = pubsub.group("billing").subscribe("t"), pubsub.group("audit").subscribe("t")

    assert payloads(received(again)) == []
    assert payloads(received(other)) == [b"0"]
    with pytest.raises(StateError, match="subscriber of group 'billing' is closed"):
        first.subscribe("t")


def test_group_has_one_subscription_of_a_topic_at_a_time():
    """Expect the second one to be refused until the first has closed, and another topic not to count."""
    group = InMemoryPubSub(PERSISTENT).group("billing")
    first = group.subscribe("t")
    group.subscribe("u")

    with pytest.raises(StateError, match="'billing' reads topic 't' already"):
        group.subscribe("t")
    first.close()
    group.subscribe("t")


def test_second_close_of_an_old_subscription_changes_nothing():
    """Expect the group's newer subscription to stay the one that counts."""
    pubsub = InMemoryPubSub(PERSISTENT)
    group = pubsub.group("billing")
    pubsub.publish("t", Message(b"0"), Message(b"1"))
    first = group.subscribe("t")
    first.close()
    second = group.subscribe("t")
    received(second)[0].ack()

    first.close()
    second.close()

    assert payloads(received(group.subscribe("t"))) == [b"1"]


def test_close_of_the_pubsub_closes_its_groups():
    """Expect a subscription of a group to end, and a new one to be refused."""
    pubsub = InMemoryPubSub(PERSISTENT)
    group = pubsub.group("billing")
    subscription = group.subscribe("t")
    (assignment,) = [each.assignment for each in _publish_and_receive(pubsub, subscription)]
    pubsub.close()

    assert assignment.is_closed
    with pytest.raises(StateError, match="pub/sub is closed"):
        group.subscribe("t")


def _publish_and_receive(pubsub, subscription):
    pubsub.publish("t", Message(b"0"))
    return received(subscription)


def test_close_in_the_middle_of_a_subscribe_does_not_hang():
    """Expect a listener that closes the pub/sub to get a closed subscription, and nobody to wait for a lock."""
    pubsub = InMemoryPubSub(PERSISTENT)
    opened = []

    class Closing:
        def assigned(self, assignments):
            pubsub.close()

    subscribing = threading.Thread(
        target=lambda: opened.append(pubsub.group("billing").subscribe("t", Closing())), daemon=True
    )
    subscribing.start()
    subscribing.join(10.0)

    assert len(opened) == 1


def test_group_needs_messages_that_are_kept():
    """Expect a group without anything to come back to to be refused."""
    with pytest.raises(ConfigurationError, match="persistent=True"):
        InMemoryPubSub().group("billing")
