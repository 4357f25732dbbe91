"""A backlog in Kafka that is larger than every bound, while what processes batches is away."""

import threading

import pytest
from confluent_kafka import Producer

from millstream.handlers.batching import BatchMessage
from millstream.router import Router, TransientError
from millstream.router.kafka import KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import eventually, running
from tests.router.kafka.mock_cluster import MockCluster
from tests.router.kafka.mock_cluster_clients import committed, open_consumer

pytestmark = pytest.mark.slow  # brokers to talk to: seconds, not milliseconds

PARTITIONS, MESSAGES, PAYLOAD = 4, 3_500, b"x" * 1_000
BACKLOG = PARTITIONS * MESSAGES * len(PAYLOAD)
PENDING_BYTES, BUFFER_BYTES = 1_000_000, 500_000
CHUNK_BYTES = 2_000 * len(PAYLOAD)
"""What a poll brings at most is taken in whole."""
TIMEOUT = 90.0


@pytest.fixture
def broker():
    """A mock broker with the backlog."""
    cluster = MockCluster(1)
    cluster.create_topic("events", PARTITIONS)
    producer = Producer({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    for number in range(PARTITIONS * MESSAGES):
        producer.produce("events", PAYLOAD, partition=number % PARTITIONS)
    assert producer.flush(TIMEOUT) == 0
    yield cluster
    cluster.close()


def test_backlog_waits_in_kafka_while_the_store_is_away(broker, batcher):
    """Handlers and buffers take in what their bounds allow and stand still there; afterwards everything is processed once."""
    is_back, handled, processed, failed = threading.Event(), [], [], threading.Event()

    def process(batch):
        if not is_back.is_set():
            failed.set()
            raise TransientError("store down")
        processed.append(len(batch))

    one = batcher(process, max_pending_bytes=PENDING_BYTES, max_retries=0, wait_interval=0.05)

    def handle(message):
        handled.append(len(message.payload))
        one.add(BatchMessage(message, None))

    subscriber = KafkaSubscriber(
        KafkaSubscriberConfig(
            brokers=[broker.bootstrap_servers], group_id="g", buffer_bytes=BUFFER_BYTES, commit_interval=0.1
        )
    )
    router = Router()
    router.add_worker(one)
    router.add_consumer_handler("h", "events", subscriber, handle)

    def taken_in():
        (statistics,) = subscriber.statistics()
        return sum(handled) + statistics.buffered_messages * len(PAYLOAD)

    with open_consumer(broker.bootstrap_servers, group_id="g") as asking, running(router):
        assert failed.wait(TIMEOUT)
        assert eventually(lambda: subscriber.statistics()[0].is_paused, TIMEOUT)
        while_away = taken_in()
        is_back.set()
        assert eventually(
            lambda: all(committed(asking, "events", number) == MESSAGES for number in range(PARTITIONS)), TIMEOUT
        )

    assert while_away <= PENDING_BYTES + BUFFER_BYTES + 2 * CHUNK_BYTES < BACKLOG / 2
    assert sum(processed) == len(handled) == PARTITIONS * MESSAGES
