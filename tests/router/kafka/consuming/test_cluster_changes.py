"""What moves inside a cluster, and brokers that are not there yet: nothing ends, and everything is handled and committed."""

import itertools

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from millstream.router import Router
from millstream.router.kafka import KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import RecordingHandler, eventually, running
from tests.router.kafka.mock_cluster import MockCluster

pytestmark = pytest.mark.slow  # groups of brokers: seconds, not milliseconds

TIMEOUT = 90.0
PROTOCOLS = [
    pytest.param({"session_timeout": 6.0, "heartbeat_interval": 0.2}, id="classic"),
    pytest.param({"group_protocol": "consumer"}, id="KIP-848"),
]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def brokers():
    """Three mock brokers for this file."""
    cluster = MockCluster(3)
    cluster.set_group_times(session=6.0, heartbeat=0.2)
    yield cluster
    cluster.close()


@pytest.fixture
def topic(brokers):
    """A topic of its own with one partition; also the name of the group that reads it."""
    name = f"moving-{next(_numbers)}"
    brokers.create_topic(name, 1, 3)
    return name


def publish(brokers, topic, first, end):
    """Write the numbers from *first* up to *end*."""
    producer = Producer({"bootstrap.servers": brokers.bootstrap_servers, "log_level": 0})
    for number in range(first, end):
        producer.produce(topic, b"%d" % number)
    assert producer.flush(TIMEOUT) == 0


def committed(brokers, topic):
    """Return the offset that the topic's group has committed."""
    consumer = Consumer({"bootstrap.servers": brokers.bootstrap_servers, "group.id": topic, "log_level": 0})
    (place,) = consumer.committed([TopicPartition(topic, 0)], TIMEOUT)
    consumer.close()
    return place.offset


def reading(brokers, topic, handler, options):
    """Return a router whose group reads *topic*."""
    config = KafkaSubscriberConfig(brokers=[brokers.bootstrap_servers], group_id=topic, commit_interval=0.1, **options)
    router = Router()
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), handler)
    return router


@pytest.mark.parametrize("options", PROTOCOLS)
@pytest.mark.parametrize("move", ["leader", "coordinator"])
def test_what_moves_is_followed(brokers, topic, options, move):
    """A partition gets another leader, or the group another coordinator: what comes later is handled and committed as well."""
    brokers.set_leader(topic, 0, 1)
    brokers.set_coordinator(topic, 1)
    handler = RecordingHandler()
    publish(brokers, topic, 0, 10)
    with running(reading(brokers, topic, handler, options)):
        assert handler.wait_calls(10, TIMEOUT)
        if move == "leader":
            brokers.set_leader(topic, 0, 2)
        else:
            brokers.set_coordinator(topic, 2)
        publish(brokers, topic, 10, 20)
        assert handler.wait_calls(20, TIMEOUT)
        while_running = eventually(lambda: committed(brokers, topic) == 20, TIMEOUT)

    assert while_running
    assert sorted(set(handler.payloads), key=int) == [b"%d" % number for number in range(20)]


@pytest.mark.parametrize("options", PROTOCOLS)
def test_brokers_that_are_down_at_the_start_are_waited_for(brokers, topic, log_lines, options):
    """The router runs, says once that nobody is there and once that somebody is, and then takes up its work."""
    publish(brokers, topic, 0, 5)
    brokers.set_down()
    handler = RecordingHandler()
    try:
        with running(reading(brokers, topic, handler, options)) as router:
            told = eventually(lambda: any("no Kafka broker can be reached" in line for line in log_lines), TIMEOUT)
            was_running = router.is_running
            brokers.set_up()
            assert handler.wait_calls(5, TIMEOUT)
    finally:
        brokers.set_up()

    assert (told, was_running) == (True, True)
    assert committed(brokers, topic) == 5
    assert sum("no Kafka broker can be reached" in line for line in log_lines) == 1
    assert sum("Kafka brokers are back" in line for line in log_lines) == 1
