"""What a receiver gets outside a router: new messages, and nacked ones as soon as they are due. No broker."""

import pytest

from millstream.router import Assignment, Message
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.consuming.inbox import Inbox


@pytest.fixture
def inbox():
    """An inbox whose nacked messages are due at once."""
    return Inbox(KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g", nack_resend_delay=0.0))


@pytest.fixture
def messages(inbox):
    """Three messages of one partition, received and nacked."""
    assignment = Assignment("events", 0, redeliver=inbox.redeliveries.add)
    inbox.buffer.put([Message(b"", offset=offset, assignment=assignment) for offset in range(3)])
    received = inbox.receive(3, 1.0)
    for message in received:
        message.nack()
    return received


def test_nacked_messages_come_before_new_ones(inbox, messages):
    """In the order of their offsets, and no more than were asked for."""
    inbox.buffer.put([Message(b"", offset=3, assignment=messages[0].assignment)])
    chunks = [inbox.receive(2, 1.0) for _ in range(3)]

    assert [[message.offset for message in chunk] for chunk in chunks] == [[0, 1], [2], [3]]


def test_nothing_comes_of_a_partition_that_goes(inbox, messages):
    """Neither what is new nor what was nacked."""
    assignment = messages[0].assignment
    inbox.buffer.put([Message(b"", offset=3, assignment=assignment)])
    inbox.discard(each for each in [assignment])

    assert inbox.receive(10, 0.0) == []
