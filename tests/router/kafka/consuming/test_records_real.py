"""Records as they come from anywhere, through a router on a real broker: delivered or set aside by rule, never a crash."""

import json

import pytest
from confluent_kafka import Producer

from millstream.router import PoisonFile, Router
from millstream.router.kafka import KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import RecordingHandler, eventually, running

TIMEOUT = 90.0
LARGE = 1_500_000
"""Bytes: above the limit of a subscriber and of a topic, unless told otherwise."""


def consumer(kafka, topic, handler, poison):
    """Return a router with one handler on *topic*."""
    config = KafkaSubscriberConfig(
        brokers=[kafka.bootstrap_servers], group_id=topic, heartbeat_interval=0.5, commit_interval=0.2
    )
    router = Router()
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), handler, poison=poison)
    return router


def committed_all(kafka, topic):
    """Wait until the group has committed the end of *topic*."""
    return eventually(lambda: kafka.committed(topic, topic) == kafka.end_offsets(topic), TIMEOUT)


def test_strange_records_are_delivered_or_set_aside(real_kafka, tmp_path):
    """No uuid, bytes that are no text, no value and no headers are delivered; what is too large is set aside with its size."""
    topic = real_kafka.create_topic(1, {"max.message.bytes": "3000000"})
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers, "message.max.bytes": 3_000_000})
    for value, headers in [
        (b"plain", None),
        (b"no uuid", {"tenant_id": "t"}),
        (b"bytes", {"_watermill_message_uuid": b"u-1", "tenant_id": b"\xff\xfe"}),
        (None, {"_watermill_message_uuid": b"tombstone"}),
        (b"x" * LARGE, {"_watermill_message_uuid": b"large"}),
        (b"last", {"_watermill_message_uuid": b"u-2"}),
    ]:
        producer.produce(topic, value, key=b"k", headers=headers, partition=0)
    assert producer.flush(TIMEOUT) == 0
    seen, path = RecordingHandler(), tmp_path / "poison.ndjson"

    with running(consumer(real_kafka, topic, seen, PoisonFile(path))):
        assert committed_all(real_kafka, topic)

    assert [message.uuid for message in seen.messages] == ["", "", "u-1", "tombstone", "u-2"]
    assert seen.payloads == [b"plain", b"no uuid", b"bytes", b"", b"last"]
    assert seen.messages[2].metadata == {"tenant_id": "\\xff\\xfe"}
    (line,) = path.read_text().splitlines()
    assert str(LARGE) in json.dumps(json.loads(line)["metadata"])


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_records_are_read(real_kafka, tmp_path, codec):
    """Whatever the producer compresses with."""
    topic, seen = real_kafka.create_topic(1), RecordingHandler()
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers, "compression.type": codec})
    for number in range(100):
        producer.produce(topic, b"%d" % number * 50, partition=0)
    assert producer.flush(TIMEOUT) == 0

    with running(consumer(real_kafka, topic, seen, PoisonFile(tmp_path / "poison.ndjson"))):
        assert committed_all(real_kafka, topic)

    assert seen.payloads == [b"%d" % number * 50 for number in range(100)]


def test_aborted_transactions_are_gaps(real_kafka, tmp_path):
    """Aborted records are never seen, and the commit goes past them."""
    topic, seen = real_kafka.create_topic(1), RecordingHandler()
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers, "transactional.id": topic})
    producer.init_transactions(TIMEOUT)
    for text, is_kept in [(b"one", True), (b"aborted", False), (b"two", True)]:
        producer.begin_transaction()
        producer.produce(topic, text, partition=0)
        producer.flush(TIMEOUT)
        (producer.commit_transaction if is_kept else producer.abort_transaction)(TIMEOUT)

    with running(consumer(real_kafka, topic, seen, PoisonFile(tmp_path / "poison.ndjson"))):
        assert eventually(lambda: len(seen.payloads) == 2, TIMEOUT)
        # The last offset is the marker of the last transaction, which is no message: nobody can settle it.
        assert eventually(lambda: real_kafka.committed(topic, topic).get(0, 0) >= 5, TIMEOUT)

    assert seen.payloads == [b"one", b"two"]
