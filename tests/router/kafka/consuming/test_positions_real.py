"""Where a group stands, on a real broker: at ends that are no messages, in partitions and topics that are new."""

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewPartitions
from confluent_kafka.cimpl import NewTopic

from millstream.router import HaltedError, Router
from millstream.router.kafka import KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import RecordingHandler, eventually, running
from tests.router.kafka.real_kafka import insist

TIMEOUT = 90.0
PROTOCOLS = [
    pytest.param({"assignment_strategy": "range"}, id="range"),
    pytest.param({"assignment_strategy": "cooperative-sticky"}, id="cooperative"),
    pytest.param({"group_protocol": "consumer"}, id="KIP-848"),
]


def reader(kafka, topic, handler, **options):
    """Return a router with one member of the topic's group."""
    quick = {"heartbeat_interval": 0.5, "commit_interval": 0.2, **options}
    config = KafkaSubscriberConfig(
        brokers=[kafka.bootstrap_servers],
        group_id=topic,
        properties={"topic.metadata.refresh.interval.ms": 1000},
        **quick,
    )
    router = Router()
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), handler)
    return router


def produce(kafka, topic, text, count, partition=0):
    """Write messages to one partition; returns their payloads."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    payloads = [f"{text}-{number}".encode() for number in range(count)]
    for payload in payloads:
        producer.produce(topic, payload, partition=partition)
    assert producer.flush(TIMEOUT) == 0
    return payloads


def is_at_the_end(kafka, topic):
    """Wait until the topic's group has committed the end of each partition; returns whether it has."""
    return eventually(lambda: kafka.committed(topic, topic) == kafka.end_offsets(topic), TIMEOUT)


@pytest.mark.parametrize("is_aborted", [False, True], ids=["committed", "aborted"])
def test_partition_that_ends_with_a_transaction_is_committed_to_its_end(real_kafka, is_aborted):
    """When retention has emptied it nothing is missing: who is there goes on, who joins begins, and so does a restart."""
    topic, first, second = real_kafka.create_topic(1), RecordingHandler(), RecordingHandler()
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(TIMEOUT)
    producer.begin_transaction()
    producer.produce(topic, b"kept", partition=0)
    producer.commit_transaction(TIMEOUT)
    if is_aborted:
        producer.begin_transaction()
        producer.produce(topic, b"never seen", partition=0)
        producer.flush(TIMEOUT)
        producer.abort_transaction(TIMEOUT)

    with running(reader(real_kafka, topic, first)):
        assert first.wait_calls(1, timeout=TIMEOUT)
        assert is_at_the_end(real_kafka, topic)
        real_kafka.delete_records(topic, 0, real_kafka.end_offsets(topic)[0])
        with running(reader(real_kafka, topic, second)):
            produce(real_kafka, topic, "joined", 1)
            assert eventually(lambda: len(first.payloads + second.payloads) == 2, TIMEOUT)
            assert is_at_the_end(real_kafka, topic)
    real_kafka.delete_records(topic, 0, real_kafka.end_offsets(topic)[0])
    with running(reader(real_kafka, topic, second)):
        produce(real_kafka, topic, "restarted", 1)
        assert eventually(lambda: len(first.payloads + second.payloads) == 3, TIMEOUT)

    assert sorted(first.payloads + second.payloads) == [b"joined-0", b"kept", b"restarted-0"]


@pytest.mark.parametrize("options", PROTOCOLS)
def test_start_at_the_end_is_committed_at_once(real_kafka, options):
    """Not with the next interval: a crash before it would begin again at an end that has moved on."""
    topic = real_kafka.create_topic(2)
    produce(real_kafka, topic, "old", 3)

    with running(reader(real_kafka, topic, RecordingHandler(), start_from="latest", commit_interval=3600.0, **options)):
        assert eventually(lambda: real_kafka.committed(topic, topic) == {0: 3, 1: 0}, TIMEOUT)


@pytest.mark.parametrize("options", PROTOCOLS)
def test_partition_that_is_added_begins_at_its_beginning_though_the_group_started_at_the_end(real_kafka, options):
    """Whether somebody runs when it is added or not: none of its messages is skipped."""
    topic, handler, later = real_kafka.create_topic(1), RecordingHandler(), RecordingHandler()
    produce(real_kafka, topic, "old", 3)
    latest = {"start_from": "latest", **options}
    with running(reader(real_kafka, topic, handler, **latest)):
        assert eventually(lambda: real_kafka.committed(topic, topic) == {0: 3}, TIMEOUT)
        added = add_partition(real_kafka, topic, 1)
        assert handler.wait_calls(len(added), timeout=TIMEOUT)
    added_later = add_partition(real_kafka, topic, 2)
    with running(reader(real_kafka, topic, later, **latest)):
        assert later.wait_calls(len(added_later), timeout=TIMEOUT)
        assert is_at_the_end(real_kafka, topic)

    assert (handler.payloads, later.payloads) == (added, added_later)


def add_partition(kafka, topic, number):
    """Add partition *number* and write to it at once; returns the payloads."""
    kafka.admin.create_partitions([NewPartitions(topic, number + 1)])[topic].result(TIMEOUT)
    assert eventually(lambda: number in kafka.end_offsets(topic), TIMEOUT)
    return produce(kafka, topic, f"added-{number}", 10, partition=number)


def make_anew(kafka, topic):
    """Delete *topic* and create it again, with more records than it had."""
    kafka.delete_topic(topic)
    again = NewTopic(topic, 1, 1)
    insist(lambda: kafka.admin.create_topics([again])[topic].result(TIMEOUT))
    assert eventually(lambda: kafka.end_offsets(topic) == {0: 0}, TIMEOUT)
    produce(kafka, topic, "new", 20)


@pytest.mark.parametrize("options", PROTOCOLS[::2])
def test_topic_that_is_made_anew_while_it_is_read_halts(real_kafka, options):
    """Going on from the old place skips the first of its records: nothing is worse than doing so without a word."""
    topic, handler = real_kafka.create_topic(1), RecordingHandler()
    produce(real_kafka, topic, "old", 5)
    router = reader(real_kafka, topic, handler, **options)
    router.start()
    assert handler.wait_calls(5, timeout=TIMEOUT)
    assert is_at_the_end(real_kafka, topic)
    make_anew(real_kafka, topic)

    with pytest.raises(HaltedError, match=rf"'{topic}' was deleted and made anew"):
        router.wait_closed(TIMEOUT)


def test_topic_that_was_made_anew_halts_a_restart(real_kafka):
    """Brokers drop the commits of a topic that goes, but whoever reads it meanwhile commits once more."""
    topic, handler = real_kafka.create_topic(1), RecordingHandler()
    produce(real_kafka, topic, "old", 5)
    with running(reader(real_kafka, topic, handler)):
        assert handler.wait_calls(5, timeout=TIMEOUT)
        assert is_at_the_end(real_kafka, topic)
    outsider = Consumer({"bootstrap.servers": real_kafka.bootstrap_servers, "group.id": topic, "log_level": 0})
    (last,) = outsider.committed([TopicPartition(topic, 0)], TIMEOUT)
    make_anew(real_kafka, topic)
    outsider.commit(offsets=[last], asynchronous=False)
    outsider.close()
    router = reader(real_kafka, topic, handler)
    router.start()

    with pytest.raises(HaltedError, match="made anew"):
        router.wait_closed(TIMEOUT)
