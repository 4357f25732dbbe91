"""Handlers that sleep or hang for longer than a group waits, and holds that nobody releases: the group gives no member up."""

import threading

import pytest
from confluent_kafka import Producer
from loguru import logger

from millstream.router import Router
from millstream.router.delivery.run import CHUNK_MESSAGES
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.consuming.subscriber import KafkaSubscriber
from millstream.router.testing import eventually, running

MAX_POLL_SECONDS = 6.0
LONGER = 9.0
"""Longer than a member may go without a poll, by enough for the group to have noticed."""
MAX_PENDING = 1000
MESSAGES = 10_000
TIMEOUT = 90.0


@pytest.fixture(params=[{"session_timeout": 6.0, "heartbeat_interval": 0.5}, {"group_protocol": "consumer"}])
def options(request):
    """A member of each protocol that has to be polled often."""
    return {"max_poll_interval": MAX_POLL_SECONDS, "commit_interval": 0.2, **request.param}


@pytest.fixture
def lines():
    """What is logged, from INFO on."""
    texts = []
    sink = logger.add(lambda text: texts.append(str(text)), format="{level} {message}", level="INFO")
    logger.enable("millstream")
    yield texts
    logger.disable("millstream")
    logger.remove(sink)


def count(lines, text):
    """Return how many of *lines* have *text*."""
    return sum(text in line for line in list(lines))


def produce(kafka, topic, counts):
    """Write so many messages to each partition."""
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    for partition, messages in enumerate(counts):
        for number in range(messages):
            producer.produce(topic, str(number).encode(), partition=partition)
    assert producer.flush(TIMEOUT) == 0


def member(kafka, topic, handler, options):
    """Return a router with one member of the topic's group."""
    config = KafkaSubscriberConfig(brokers=[kafka.bootstrap_servers], group_id=topic, **options)
    router = Router()
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), handler)
    return router


def test_handler_that_sleeps_longer_than_the_group_waits_causes_no_rebalance(real_kafka, options, lines):
    """The poll thread goes on polling, and everything is handled once and committed."""
    topic, payloads = real_kafka.create_topic(1), []
    produce(real_kafka, topic, [10])
    nap = threading.Event()

    def sleep_once(message):
        if not payloads:
            nap.wait(LONGER)
        payloads.append(message.payload)

    with running(member(real_kafka, topic, sleep_once, options)):
        assert eventually(lambda: real_kafka.committed(topic, topic) == {0: 10}, TIMEOUT)
        moves = [count(lines, each) for each in ("partitions assigned", "partitions revoked", "partitions lost")]

    assert payloads == [str(number).encode() for number in range(10)]
    assert moves == [1, 0, 0]


def test_hold_that_is_never_released_stops_intake_and_is_named(real_kafka, options, lines):
    """Its partition stops at the bound, with a warning that names the owner; the other goes on, and nothing rebalances."""
    topic, seen = real_kafka.create_topic(2), {0: 0, 1: 0}
    produce(real_kafka, topic, [MESSAGES, MESSAGES])
    forgotten = []

    def hold_first(message):
        if message.partition == 0 and message.offset == 0:
            forgotten.append(message.hold("forgetful importer"))
        seen[message.partition] += 1

    options = {"max_pending": MAX_PENDING, "warn_after": 2.0, **options}
    with running(member(real_kafka, topic, hold_first, options)):
        assert eventually(lambda: real_kafka.committed(topic, topic).get(1) == MESSAGES, TIMEOUT)
        assert eventually(lambda: count(lines, "has stood still"), TIMEOUT)
        threading.Event().wait(LONGER)
        while_held = (seen[0], real_kafka.committed(topic, topic).get(0, 0))
        moves = [count(lines, each) for each in ("partitions assigned", "partitions revoked", "partitions lost")]
        forgotten[0].release()
        assert eventually(lambda: real_kafka.committed(topic, topic) == {0: MESSAGES, 1: MESSAGES}, TIMEOUT)

    assert MAX_PENDING <= while_held[0] <= MAX_PENDING + CHUNK_MESSAGES  # what one poll may bring in beyond the bound
    assert while_held[1] == 0
    assert moves == [1, 0, 0]
    (warning,) = [line for line in lines if "has stood still" in line]
    assert warning.startswith(f"WARNING the commit of {topic}[0] has stood still at offset 0")
    assert "held by forgetful importer; intake from it has stopped" in warning
    assert seen == {0: MESSAGES, 1: MESSAGES}


def test_handler_that_hangs_stops_its_own_messages_only_and_is_named(real_kafka, options, lines):
    """The commits of another handler go on, the warning says which message is in it, and nothing rebalances."""
    stuck, free = real_kafka.create_topic(1), real_kafka.create_topic(1)
    for topic in (stuck, free):
        produce(real_kafka, topic, [100])
    goes_on, handled = threading.Event(), []

    def hang(message):
        goes_on.wait(TIMEOUT)
        handled.append(message.payload)

    router = member(real_kafka, stuck, hang, {"warn_after": 1.0, **options})
    config = KafkaSubscriberConfig(brokers=[real_kafka.bootstrap_servers], group_id=free, **options)
    router.add_consumer_handler("free", free, KafkaSubscriber(config), lambda message: None)
    with running(router):
        assert eventually(lambda: real_kafka.committed(free, free) == {0: 100}, TIMEOUT)
        assert eventually(lambda: count(lines, "has stood still"), TIMEOUT)
        while_hanging = (list(handled), real_kafka.committed(stuck, stuck).get(0, 0))
        produce(real_kafka, free, [10])
        assert eventually(lambda: real_kafka.committed(free, free) == {0: 110}, TIMEOUT)
        moves = [count(lines, each) for each in ("partitions assigned", "partitions revoked", "partitions lost")]
        goes_on.set()
        assert eventually(lambda: real_kafka.committed(stuck, stuck) == {0: 100}, TIMEOUT)

    assert while_hanging == ([], 0)
    assert moves == [2, 0, 0]
    (warning,) = [line for line in lines if "has stood still" in line]
    assert warning.startswith(f"WARNING the commit of {stuck}[0] has stood still at offset 0")
    assert "handler" in warning
    assert len(handled) == 100
