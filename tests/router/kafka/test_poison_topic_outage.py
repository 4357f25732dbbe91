"""A poison topic whose brokers are away: nothing is dropped, nothing is committed past what waits for it."""

import itertools

import pytest
from confluent_kafka import Producer

from millstream.middleware import FailurePolicy
from millstream.router import PermanentError, PoisonTopic, Router
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import eventually, running
from tests.router.kafka.mock_cluster import MockCluster
from tests.router.kafka.mock_cluster_clients import committed, consume, open_consumer

pytestmark = pytest.mark.slow  # brokers to talk to: seconds, not milliseconds

GOOD, BAD = 5_000, 30
FIRST_BAD = 100
"""The offset of the first message that is set aside."""
TIMEOUT = 90.0


@pytest.fixture
def poison_cluster():
    """Brokers of their own for the poison topic."""
    cluster = MockCluster(1)
    cluster.create_topic("dlq")
    yield cluster
    cluster.close()


def produce(cluster):
    """Write the good messages, with the bad ones among them from one offset on."""
    cluster.create_topic("events")
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    bad = (b"bad %d" % number for number in range(BAD))
    good = (b"good %d" % number for number in range(GOOD))
    payloads = itertools.chain(itertools.islice(good, FIRST_BAD), bad, good)
    for payload in payloads:
        producer.produce("events", payload, partition=0)
        producer.poll(0)
    assert producer.flush(TIMEOUT) == 0


def test_poison_topic_that_is_away_is_waited_for(mock_cluster, poison_cluster, log_lines):
    """The commit stands before the first bad message; once the brokers are back each has one record and all is committed."""
    produce(mock_cluster)
    handled = []

    def handle(message):
        if message.payload.startswith(b"bad"):
            raise PermanentError("no event")
        handled.append(message.payload)

    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[poison_cluster.bootstrap_servers], delivery_timeout=2.0))
    config = KafkaSubscriberConfig(
        brokers=[mock_cluster.bootstrap_servers], group_id="events", heartbeat_interval=0.2, commit_interval=0.1
    )
    router = Router()
    handler = router.add_consumer_handler(
        "h", "events", KafkaSubscriber(config), handle, poison=PoisonTopic(publisher, "dlq")
    )
    handler.add_middleware(FailurePolicy(retry=None))
    poison_cluster.set_down()

    with open_consumer(mock_cluster.bootstrap_servers, group_id="events") as asking, running(router):
        # Said when the first attempt was given up, at the end of the delivery timeout.
        assert eventually(
            lambda: [line for line in log_lines if "poison record not written, intake stops" in line], TIMEOUT
        )
        while_away = committed(asking, "events")
        poison_cluster.set_up()
        assert eventually(lambda: committed(asking, "events") == GOOD + BAD, TIMEOUT)
    with open_consumer(poison_cluster.bootstrap_servers, "dlq") as reading:
        records = [record.value() for record in consume(reading, BAD)]

    assert while_away == FIRST_BAD
    assert len(handled) == len(set(handled)) == GOOD
    assert sorted(records) == sorted(b"bad %d" % number for number in range(BAD))
