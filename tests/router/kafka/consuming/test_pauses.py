"""Pauses and rebalances together, on mock brokers: librdkafka keeps a pause over a rebalance, we must not."""

import contextlib
import itertools

import pytest
from confluent_kafka import Consumer, KafkaError, Producer

from millstream.router import MONOTONIC, Router, UndrainedError
from millstream.router.kafka import KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import RecordingHandler, eventually
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.mock_cluster import MockCluster, Request

pytestmark = pytest.mark.slow  # groups of brokers: seconds, not milliseconds

TIMEOUT = 90.0
CLASSIC = {"session_timeout": 3.0, "heartbeat_interval": 0.2}
PROTOCOLS = [
    pytest.param(CLASSIC, id="range"),
    pytest.param({**CLASSIC, "assignment_strategy": "cooperative-sticky"}, id="cooperative"),
    pytest.param({"group_protocol": "consumer", "max_poll_interval": 15.0}, id="KIP-848"),
]
PARTITIONS = 4
MESSAGES = 400
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def brokers():
    """A mock broker for this file."""
    cluster = MockCluster(1)
    cluster.set_group_times(session=3.0, heartbeat=0.2)
    yield cluster
    cluster.close()


@pytest.fixture
def topic(brokers):
    """A topic of its own with messages in each partition; also the name of the group that reads it."""
    name = f"pauses-{next(_numbers)}"
    brokers.create_topic(name, PARTITIONS)
    producer = Producer({"bootstrap.servers": brokers.bootstrap_servers, "log_level": 0})
    for number in range(MESSAGES):
        producer.produce(name, b"%d" % number, partition=number % PARTITIONS)
    assert producer.flush(TIMEOUT) == 0
    return name


@pytest.fixture
def subscriber(brokers, topic):
    """A function that makes members of the topic's group; they are closed at the end."""
    made = []

    def make(**options):
        config = {"brokers": [brokers.bootstrap_servers], "group_id": topic, "commit_interval": 0.1, **options}
        made.append(KafkaSubscriber(KafkaSubscriberConfig(**config)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def read(subscriptions, count):
    """Receive and ack until *count* different payloads came; returns them."""
    seen = set()

    def take():
        for subscription in subscriptions:
            for message in subscription.receive(100, 0.05):
                seen.add(message.payload)
                message.ack()
        return len(seen) >= count

    eventually(take, TIMEOUT)
    return seen


@pytest.mark.parametrize("options", PROTOCOLS)
def test_everything_comes_though_a_rebalance_met_a_full_buffer(topic, subscriber, options):
    """Nobody receives, so all is paused; a second member comes and goes; then everything is read."""
    first = subscriber(buffer_messages=10, pause_after=0.0, **options)
    subscription = first.subscribe(topic)
    assert eventually(lambda: first.statistics()[0].is_paused, TIMEOUT)
    second = subscriber(**options)
    second.subscribe(topic)
    assert eventually(lambda: second.statistics()[0].partitions, TIMEOUT)
    second.close()
    assert eventually(lambda: len(first.statistics()[0].partitions) == PARTITIONS, TIMEOUT)
    seen = read([subscription], MESSAGES)

    assert len(seen) == MESSAGES


@pytest.mark.parametrize("options", PROTOCOLS)
def test_group_is_joined_again_until_somebody_tells_the_commits(brokers, topic, subscriber, options):
    """A coordinator that answers nothing of use for longer than a revoke may take ends nothing, with any protocol."""
    brokers.fail(Request.OFFSET_FETCH, *[KafkaError.NOT_COORDINATOR] * 1000)
    brokers.watch()
    subscription = subscriber(**options).subscribe(topic)
    assert eventually(lambda: len(brokers.requests(Request.OFFSET_FETCH)) > 40, TIMEOUT)
    brokers.forget_faults(Request.OFFSET_FETCH)
    seen = read([subscription], MESSAGES)

    assert len(seen) == MESSAGES


def test_close_without_a_broker_says_what_was_not_done(brokers, topic, subscriber):
    """Nothing could be committed: that is no clean end, and it comes again."""
    handler, router = RecordingHandler(), Router()
    router.add_consumer_handler("h", topic, subscriber(**CLASSIC, commit_interval=100.0), handler)
    router.start()
    assert handler.wait_calls(MESSAGES, TIMEOUT)
    brokers.set_down()
    try:
        with pytest.raises(
            UndrainedError, match=rf"kafka-poll-{topic} \(last error: .*(127\.0\.0\.1:\d+|Disconnected)"
        ):
            router.close()
    finally:
        brokers.set_up()


def test_abort_without_a_broker_waits_for_none(brokers, topic, subscriber):
    """A second signal ends the process at once: whoever still tries to commit is left to it."""
    handler, router, member = RecordingHandler(), Router(), subscriber(**CLASSIC, commit_interval=100.0)
    router.add_consumer_handler("h", topic, member, handler)
    router.start()
    assert handler.wait_calls(MESSAGES, TIMEOUT)
    brokers.set_down()
    try:
        router.abort()
        (subscription,) = member._subscriptions
        is_still_at_it = subscription._thread.is_alive
    finally:
        brokers.set_up()
    with contextlib.suppress(UndrainedError):  # told to whoever closed first
        router.close()

    assert is_still_at_it


def test_thread_that_ends_by_what_is_no_exception_has_an_error(brokers, topic):
    """What the client raises inside a callback leaves a poll as something that no `except` sees."""
    consumer = Consumer({"bootstrap.servers": brokers.bootstrap_servers, "group.id": topic, "log_level": 0})
    brokers.fail(Request.OFFSET_FETCH, *[KafkaError.NOT_COORDINATOR] * 100)
    thread = WorkerThread("polling", lambda: poll_on(consumer, topic))
    thread.start()
    ended = thread.join(MONOTONIC.now() + TIMEOUT)
    brokers.forget_faults(Request.OFFSET_FETCH)
    consumer.close()

    assert ended
    assert "no exception" in str(thread.error)


def poll_on(consumer, topic):
    """Poll until a callback fails."""
    consumer.subscribe([topic], on_assign=lambda consumer, places: consumer.committed(places, timeout=5.0))
    while True:
        consumer.consume(100, 0.1)
