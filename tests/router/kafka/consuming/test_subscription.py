"""Receiving from Kafka without a router."""

import os
import threading

import pytest
from confluent_kafka import Producer

from millstream.router import ConfigurationError, StateError
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.consuming.received import ReceivedRun
from millstream.router.kafka.consuming.subscriber import KafkaSubscriber
from millstream.router.testing import eventually


@pytest.mark.slow
def test_what_ends_the_poll_thread_is_raised_to_who_receives(mock_cluster):
    """Invariant "no silent stop": whoever waits for messages hears of it, as nobody else would."""
    subscriber = KafkaSubscriber(KafkaSubscriberConfig(brokers=[mock_cluster.bootstrap_servers], group_id="g"))
    subscription = subscriber.subscribe("no-such-topic")

    with pytest.raises(ConfigurationError, match="no-such-topic"):
        subscription.receive(1, 5.0)
    subscriber.close()


@pytest.fixture
def received(mock_cluster):
    """A subscription without a router, and five messages that it has received; a nack waits a tenth of a second."""
    mock_cluster.create_topic("events", 1)
    producer = Producer({"bootstrap.servers": mock_cluster.bootstrap_servers})
    for number in range(5):
        producer.produce("events", b"%d" % number)
    assert producer.flush(10) == 0
    config = KafkaSubscriberConfig(brokers=[mock_cluster.bootstrap_servers], group_id="g", nack_resend_delay=0.1)
    subscriber = KafkaSubscriber(config)
    subscription, messages = subscriber.subscribe("events"), []
    while len(messages) < 5:
        messages += subscription.receive(5, 10.0)
    yield subscription, messages
    subscriber.close()


@pytest.mark.slow
def test_receiver_waits_until_a_nacked_message_is_due(received):
    """It does not return empty-handed before its time is over, only because one will be due before."""
    subscription, (first, *_) = received
    first.nack()

    assert [message.payload for message in subscription.receive(10, 10.0)] == [b"0"]


@pytest.mark.slow
def test_no_more_nacked_messages_come_than_were_asked_for(received):
    """What is due and was not asked for comes with the next calls, in order."""
    subscription, messages = received
    for message in messages:
        message.nack()
    chunks = [subscription.receive(2, 10.0) for _ in range(3)]

    assert [[message.payload for message in chunk] for chunk in chunks] == [[b"0", b"1"], [b"2", b"3"], [b"4"]]


@pytest.mark.slow
def test_nack_from_another_thread_reaches_a_receiver_that_waits(received):
    """It had looked for nacked messages before there was one, and would wait for the rest of its time."""
    subscription, (first, *_) = received
    got, waiting = [], threading.Thread(target=lambda: got.extend(subscription.receive(10, 60.0)))
    waiting.start()
    first.nack()
    waiting.join(20)

    assert [message.payload for message in got] == [b"0"]


@pytest.mark.slow
def test_messages_come_one_by_one_after_somebody_has_taken_runs(mock_cluster):
    """Who received before may have taken runs; who receives now gets what it asks for, all of it, and no more at a time."""
    mock_cluster.create_topic("events", 1)
    config = KafkaSubscriberConfig(brokers=[mock_cluster.bootstrap_servers], group_id="g")
    subscriber = KafkaSubscriber(config)
    subscription = subscriber.subscribe("events")
    entries, messages = subscription.receive_entries(1, 0.0), []
    producer = Producer({"bootstrap.servers": mock_cluster.bootstrap_servers})
    for number in range(10):
        producer.produce("events", b"%d" % number)
    assert producer.flush(10) == 0
    while not entries:
        entries = subscription.receive_entries(3, 10.0)
    while len(messages) < 10 - (1 + entries[0].more):
        chunk = subscription.receive(2, 10.0)
        assert len(chunk) <= 2
        messages += chunk

    assert [type(entry) for entry in entries] == [ReceivedRun]
    assert entries[0].payloads + [message.payload for message in messages] == [b"%d" % number for number in range(10)]
    for entry in entries + messages:
        assert entry.delivery.ack()
    assert eventually(lambda: [book.pending for book in subscription.books] == [0])
    subscriber.close()


def test_subscriber_of_another_process_is_refused(monkeypatch):
    """A forked child has neither its threads nor connections of its own."""
    process = os.getpid()
    subscriber = KafkaSubscriber(KafkaSubscriberConfig(brokers=["nowhere:1"], group_id="g"))
    monkeypatch.setattr(os, "getpid", lambda: process + 1)

    with pytest.raises(StateError, match="fork; make the subscriber in the child"):
        subscriber.subscribe("events")
    with pytest.raises(StateError, match="only the process that made it can close it"):
        subscriber.close()
