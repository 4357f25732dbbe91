"""Which partition a key goes to, with each hash on offer."""

from collections.abc import Callable

import pytest

from millstream.router import Message
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig
from millstream.router.kafka.config import Partitioner
from tests.router.kafka.mock_cluster import MockCluster
from tests.router.kafka.raw_records import read_records

PARTITIONS = 7
KNOWN = {b"": 2, b"a": 6, b"foobar": 4}
"""Where the hash partitioner of sarama 1.61 puts these keys, with seven partitions; an empty key is a key."""
KEYS = [b"tenant-1:customer-%d" % number for number in range(50)] + [*KNOWN, bytes(range(256))]


def go_partition(key: bytes) -> int:
    """Return where sarama's hash partitioner puts *key*: FNV-1a with 32 bits, as a signed number, without its sign."""
    number = 0x811C9DC5
    for byte in key:
        number = ((number ^ byte) * 0x01000193) & 0xFFFFFFFF
    signed = number - (1 << 32) if number & 0x80000000 else number
    return abs(signed) % PARTITIONS


def java_partition(key: bytes) -> int:
    """Return where Kafka's own Java client puts *key*: murmur2, positive."""
    multiplier, number = 0x5BD1E995, 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * multiplier & 0xFFFFFFFF
        word = (word ^ word >> 24) * multiplier & 0xFFFFFFFF
        number = (number * multiplier & 0xFFFFFFFF) ^ word
    if len(key) % 4:
        number = (number ^ int.from_bytes(key[whole:], "little")) * multiplier & 0xFFFFFFFF
    number = (number ^ number >> 13) * multiplier & 0xFFFFFFFF
    return ((number ^ number >> 15) & 0x7FFFFFFF) % PARTITIONS


def test_formula_agrees_with_what_go_did() -> None:
    """Expect the formula that the other test measures by to be right where we know the answer."""
    assert {key: go_partition(key) for key in KNOWN} == KNOWN


@pytest.mark.slow
@pytest.mark.parametrize(
    ("partitioner", "expected"),
    [
        pytest.param("fnv1a_random", go_partition, id="go"),
        pytest.param("murmur2_random", java_partition, id="java"),
    ],
)
def test_keys_go_where_the_other_language_puts_them(
    mock_cluster: MockCluster, partitioner: Partitioner, expected: Callable[[bytes], int]
) -> None:
    """Expect the partition of each key as the other client computes it, found in the raw records."""
    mock_cluster.create_topic("events", PARTITIONS)
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[mock_cluster.bootstrap_servers], partitioner=partitioner))
    publisher.publish("events", *(Message(b"", key=key) for key in KEYS))
    publisher.close()
    records = read_records(mock_cluster.bootstrap_servers, "events", len(KEYS), PARTITIONS)

    assert {record.key(): record.partition() for record in records} == {key: expected(key) for key in KEYS}
