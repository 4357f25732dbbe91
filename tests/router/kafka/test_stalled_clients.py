"""Clients that have lost their way to a broker that is there: they are replaced, nothing is lost, and it is said once."""

import copy
import gc
import itertools
import threading

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from millstream.router import MONOTONIC, ConfigurationError, Message, Router
from millstream.router.kafka import (
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    stall,
)
from millstream.router.kafka.consuming import subscription
from millstream.router.kafka.publishing import steady_producer
from millstream.router.testing import RecordingHandler, eventually, running
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.broker_proxy import BrokerProxy
from tests.router.kafka.mock_cluster import MockCluster
from tests.router.kafka.mock_cluster_clients import consume, open_consumer, values_of

pytestmark = pytest.mark.slow  # librdkafka takes its time, and mostly gets it: seconds, not milliseconds

TIMEOUT = 90.0
HIDDEN_SECONDS = 3.0
GONE_SECONDS = 10.0
"""When a client that was let go of is on its way out."""
PARTITIONS = 3
STALLED = "the Kafka client reaches no broker while others do"
NO_WAY_BACK = {"metadata.recovery.strategy": "none", "statistics.interval.ms": 100}
"""A client that knows brokers never turns to `bootstrap.servers` again."""
PROTOCOLS = [
    pytest.param({"session_timeout": 2.0, "heartbeat_interval": 0.2}, id="classic"),
    pytest.param({"group_protocol": "consumer"}, id="KIP-848"),
]


@pytest.fixture
def impatient(monkeypatch):
    """Replace a client that has failed twice where others succeed."""
    monkeypatch.setattr(stall, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(stall, "TRYING_SECONDS", 0.5)
    monkeypatch.setattr(stall, "STATISTICS_SECONDS", 0.1)
    monkeypatch.setattr(stall, "ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(steady_producer, "RETIRED_SECONDS", 0.5)


@pytest.fixture
def broker():
    """One mock broker, with a topic called `events`."""
    cluster = MockCluster(1)
    cluster.set_group_times(session=2.0, heartbeat=0.2)
    cluster.create_topic("events", PARTITIONS)
    yield cluster
    cluster.close()


@pytest.fixture
def proxy(broker):
    """The door before it."""
    door = BrokerProxy(broker.bootstrap_servers)
    yield door
    door.close()


@pytest.fixture
def publish(broker):
    """Write the numbers from the first up to the second, past the proxy, to each partition in turn: who saw all has them all."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})

    def publish(first, end):
        for number in range(first, end):
            producer.produce("events", b"%d" % number, partition=number % PARTITIONS)
        assert producer.flush(TIMEOUT) == 0

    return publish


def committed(broker):
    """Return how many messages the group `g` has committed."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "log_level": 0})
    places = consumer.committed([TopicPartition("events", number) for number in range(PARTITIONS)], TIMEOUT)
    consumer.close()
    return sum(max(0, place.offset) for place in places)


@pytest.fixture
def count():
    """Count new clients of a kind, while no garbage collector ends any: that might keep somebody else's thread waiting."""
    gc.collect()
    gc.disable()
    old = [each for each in gc.get_objects() if isinstance(each, Consumer | Producer)]
    yield lambda kind: sum(isinstance(each, kind) and each not in old for each in gc.get_objects())
    gc.enable()


def subscriber(proxy, **options):
    """Return a subscriber of the group `g` behind the *proxy*."""
    options = {"commit_interval": 0.1, **options}
    return KafkaSubscriber(KafkaSubscriberConfig(brokers=[proxy.bootstrap_servers], group_id="g", **options))


NOTHING_ON_ITS_WAY = {"group_protocol": "consumer", "commit_interval": 60.0}
"""With librdkafka 2.16, a client of KIP-848 that has sent a commit to a broker that is away never ends, at the cost of a core."""


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("options", [PROTOCOLS[0], pytest.param(NOTHING_ON_ITS_WAY, id="KIP-848")])
def test_subscription_goes_on_with_a_new_client(broker, proxy, log_lines, count, options, publish):
    """The only broker that it knows has moved: what comes later is handled and committed, in runs as ever; the old is gone."""
    handler, router, offered = RecordingHandler(), Router(), []
    added = router.add_consumer_handler("h", "events", subscriber(proxy, properties=NO_WAY_BACK, **options), handler)
    added.take_runs(lambda run: offered.extend(run.payloads))  # refused: that returns nothing
    publish(0, 10)
    with running(router):
        assert handler.wait_calls(10, TIMEOUT)
        proxy.move()
        publish(10, 20)
        assert eventually(lambda: len(set(handler.payloads)) == 20, TIMEOUT)
        clients = eventually(lambda: count(Consumer) == 1, GONE_SECONDS)
        was_running = router.is_running

    assert (was_running, clients) == (True, True)
    assert committed(broker) == 20
    assert set(offered) == set(handler.payloads)
    assert sum(STALLED in line for line in log_lines) == 1


@pytest.mark.parametrize("options", PROTOCOLS)
def test_subscription_survives_a_broker_that_names_none(broker, proxy, options, publish):
    """With 2.16, librdkafka mostly believes it for ever."""
    handler, router, numbers, is_over = RecordingHandler(), Router(), itertools.count(), threading.Event()
    router.add_consumer_handler("h", "events", subscriber(proxy, **options), handler)

    def publish_on():
        while not is_over.wait(0.05):
            publish(number := next(numbers), number + 1)

    thread = WorkerThread("publishing", publish_on)
    with running(router):
        thread.start()
        try:
            assert handler.wait_calls(20, TIMEOUT)
            proxy.hide()
            assert not is_over.wait(HIDDEN_SECONDS)
            proxy.show()
            told, seen = proxy.answers_without_brokers, len(handler.payloads)
            assert eventually(lambda: len(handler.payloads) > seen + 100, TIMEOUT)
        finally:
            is_over.set()
        assert thread.join(MONOTONIC.now() + TIMEOUT)
        assert eventually(lambda: len(set(handler.payloads)) == next(copy.copy(numbers)), TIMEOUT)

    assert told > 0
    assert thread.error is None


@pytest.mark.usefixtures("impatient")
def test_publisher_goes_on_with_a_new_client(broker, proxy, log_lines, count):
    """The only broker that it knows has moved: what was published meanwhile, and what comes later, is confirmed and written."""
    config = KafkaPublisherConfig(brokers=[proxy.bootstrap_servers], properties=NO_WAY_BACK)
    publisher, numbers = KafkaPublisher(config), itertools.count()
    confirmations = []

    def send(messages):
        for number in itertools.islice(numbers, messages):
            confirmations.append(publisher.publish_async("events", Message(b"%d" % number)))

    send(10)
    assert eventually(lambda: all(each.is_done for each in confirmations), TIMEOUT)
    proxy.move()
    send(500)
    done = eventually(lambda: all(each.is_done for each in confirmations), TIMEOUT)
    send(10)
    for each in confirmations:
        each.result()
    clients = eventually(lambda: count(Producer) == 2, GONE_SECONDS)  # one of them sends again
    publisher.close()
    with open_consumer(broker.bootstrap_servers, "events", group_id="g") as consumer:
        written = values_of(consume(consumer, 520))

    assert (done, clients) == (True, True)
    assert {int(value) for value in written} == set(range(520))
    assert sum(STALLED in line for line in log_lines) == 1


def refuse_once(monkeypatch, module, name):
    """Let the second opening of a client that somebody polls fail, as where a token does not come; returns who was refused."""
    opening, openings, refused = getattr(module, name), itertools.count(1), []

    def opened(*arguments):
        if callable(arguments[-1]) and arguments[-1].__name__ == "on_statistics" and next(openings) == 2:
            refused.append(name)
            raise ConfigurationError("no token")
        return opening(*arguments)

    monkeypatch.setattr(module, name, opened)
    return refused


@pytest.mark.usefixtures("impatient")
def test_subscription_is_kept_until_a_new_client_can_be_opened(broker, proxy, monkeypatch, publish):
    """The next look tries again."""
    refused = refuse_once(monkeypatch, subscription, "_open_consumer")
    handler, router = RecordingHandler(), Router()
    quick = subscriber(proxy, properties=NO_WAY_BACK, session_timeout=2.0, heartbeat_interval=0.2)
    router.add_consumer_handler("h", "events", quick, handler)
    publish(0, 10)
    with running(router):
        assert handler.wait_calls(10, TIMEOUT)
        proxy.move()
        publish(10, 20)
        handled = eventually(lambda: len(set(handler.payloads)) == 20, TIMEOUT)

    assert (handled, refused) == (True, ["_open_consumer"])


@pytest.mark.usefixtures("impatient", "broker")
def test_producer_is_kept_until_a_new_one_can_be_opened(proxy, monkeypatch):
    """The next look tries again."""
    refused = refuse_once(monkeypatch, steady_producer, "_open_producer")
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[proxy.bootstrap_servers], properties=NO_WAY_BACK))
    publisher.publish("events", Message(b"0"))
    proxy.move()
    confirmation = publisher.publish_async("events", Message(b"1"))
    done = confirmation.wait(TIMEOUT)
    publisher.close()

    assert (done, confirmation.error, refused) == (True, None, ["_open_producer"])
