"""Plain confluent-kafka clients, in a few lines: the tests of the brokers use them, without anything of ours between."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

TIMEOUT = 90.0
"""Seconds after which something that did not come will not come, on a busy machine either."""

GROUP = "group"


def produce(servers: str, topic: str, values: Iterable[bytes], partition: int = 0, **more: Any) -> int:
    """Produce *values* to one partition and return how many were not delivered within the time limit."""
    producer = open_producer(servers, **more)
    for value in values:
        producer.produce(topic, value, partition=partition)
    return producer.flush(TIMEOUT)


def open_producer(servers: str, **more: Any) -> Producer:
    """Return a producer that says nothing on stderr; *more* are properties, with _ for the dots."""
    return Producer({"bootstrap.servers": servers, "log_level": 0, **_properties(more)})


@contextlib.contextmanager
def open_consumer(servers: str, *topics: str, **more: Any) -> Iterator[Consumer]:
    """Open a member of a group that starts at the beginning and commits only when told."""
    properties = {
        "bootstrap.servers": servers,
        "group.id": GROUP,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "log_level": 0,
        **_properties(more),
    }
    consumer = Consumer(properties)
    if topics:
        consumer.subscribe(list(topics))
    try:
        yield consumer
    finally:
        consumer.close()


def consume(consumer: Consumer, count: int) -> list[Message]:
    """Return the next *count* records, or fewer when no more came within the time limit."""
    records: list[Message] = []
    deadline = time.monotonic() + TIMEOUT
    while len(records) < count and time.monotonic() < deadline:
        records += [each for each in consumer.consume(count - len(records), 0.1) if not each.error()]
    return records


def values_of(records: list[Message]) -> list[bytes | None]:
    """Return the values of *records*."""
    return [each.value() for each in records]


def commit(consumer: Consumer, topic: str, next_offset: int, partition: int = 0) -> None:
    """Commit *next_offset* and wait for the broker's word; KafkaException if it said no."""
    answers = consumer.commit(offsets=[TopicPartition(topic, partition, next_offset)], asynchronous=False)
    for each in answers or []:
        if each.error:
            raise KafkaException(each.error)


def committed(consumer: Consumer, topic: str, partition: int = 0) -> int:
    """Return the offset that the group has committed; negative when there is none."""
    (place,) = consumer.committed([TopicPartition(topic, partition)], TIMEOUT)
    return place.offset


def _properties(more: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "."): value for name, value in more.items()}
