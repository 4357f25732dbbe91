"""Records with more headers than anybody means: handled or set aside by their payload, at a cost that has a bound."""

import pytest
from confluent_kafka import Producer

from millstream.middleware import FailurePolicy
from millstream.router import REDELIVER, PermanentError, PoisonTopic, Router
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import RecordingHandler, eventually, running
from tests.router.kafka.mock_cluster_clients import committed, consume, open_consumer

pytestmark = pytest.mark.slow  # brokers to talk to: seconds, not milliseconds

MOST = 100_000
"""Headers of a record that librdkafka hands on; of a record that has more it says that it has none."""
LARGE = 200_000
"""Bytes: more than the poison publisher of these tests sends."""
TIMEOUT = 90.0


def headers(count, uuid=b"u"):
    """Return so many, with that of the uuid."""
    return [("_watermill_message_uuid", uuid), *((f"h{number}", b"v") for number in range(count - 1))]


def produce(cluster, *records):
    """Write each payload with its headers to the one partition of `events`."""
    cluster.create_topic("events")
    producer = Producer(
        {"bootstrap.servers": cluster.bootstrap_servers, "message.max.bytes": 20_000_000, "log_level": 0}
    )
    for payload, given in records:
        producer.produce("events", payload, headers=given, partition=0)
    assert producer.flush(TIMEOUT) == 0


def consumer(cluster, handler, poison=REDELIVER):
    """Return a router with a handler on `events`."""
    config = KafkaSubscriberConfig(
        brokers=[cluster.bootstrap_servers], group_id="events", heartbeat_interval=0.2, commit_interval=0.1
    )
    router = Router()
    added = router.add_consumer_handler("h", "events", KafkaSubscriber(config), handler, poison=poison)
    if poison is not REDELIVER:
        added.add_middleware(FailurePolicy(retry=None))
    return router


def is_committed(cluster, count):
    """Wait until the group has committed so many."""
    with open_consumer(cluster.bootstrap_servers, group_id="events") as asking:
        return eventually(lambda: committed(asking, "events") == count, TIMEOUT)


def test_record_with_any_number_of_headers_is_handled(mock_cluster):
    """With all of them as far as librdkafka reads them, and without any beyond: the payload is there either way."""
    counts = [20_000, MOST, MOST + 1, 2 * MOST]
    produce(mock_cluster, *((b"%d" % count, headers(count)) for count in counts), (b"last", headers(1)))
    seen = RecordingHandler()

    with running(consumer(mock_cluster, seen)):
        assert is_committed(mock_cluster, len(counts) + 1)

    assert seen.payloads == [b"20000", b"100000", b"100001", b"200000", b"last"]
    assert [len(message.metadata) for message in seen.messages] == [19_999, MOST - 1, 0, 0, 0]
    assert [message.uuid for message in seen.messages] == ["u", "u", "", "", "u"]


def refuse(message):
    """A handler that can do nothing with what it gets."""
    raise PermanentError(f"no event: {message.payload.decode()}")


def test_bad_record_with_any_number_of_headers_is_set_aside(mock_cluster):
    """Whole where its poison topic takes it, else cut: what its headers weigh holds up nobody, and nothing is lost."""
    produce(
        mock_cluster,
        (b"many", headers(20_000)),
        (b"more", headers(2 * MOST)),
        (b"heavy", [*headers(1), ("h", b"x" * LARGE)]),
        (b"uuid", headers(1, uuid=b"x" * LARGE)),
    )
    mock_cluster.create_topic("dlq")
    # A record of 20,000 short headers is smaller than this, and either of the heavy ones larger.
    config = KafkaPublisherConfig(brokers=[mock_cluster.bootstrap_servers], max_message_bytes=LARGE)
    poison = PoisonTopic(KafkaPublisher(config), "dlq")

    with running(consumer(mock_cluster, refuse, poison)):
        assert is_committed(mock_cluster, 4)
    with open_consumer(mock_cluster.bootstrap_servers, "dlq") as reading:
        records = {record.value(): dict(record.headers()) for record in consume(reading, 4)}

    assert {payload: found["reason_poisoned"].decode() for payload, found in records.items()} == {
        payload: f"no event: {payload.decode()}" for payload in (b"many", b"more", b"heavy", b"uuid")
    }
    assert records[b"many"]["h19998"] == b"v"
    assert [records[payload].get("payload_bytes_poisoned") for payload in (b"heavy", b"uuid")] == [b"5", b"4"]
