"""The topics that are raced through, each filled once."""

import itertools
from dataclasses import dataclass

import msgspec
from confluent_kafka import Producer

from benchmarks.race.ways import BAD_EVERY, FEW, PARTITIONS, Events
from millstream.handlers.cli.demo_events import make_events
from tests.router.kafka.real_kafka import RealKafka

SEED = 1
FLUSH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic with *events* messages, *bad* of which are no events."""

    name: str
    events: int
    bad: int = 0

    @property
    def rows(self) -> int:
        """Rows that it comes to."""
        return self.events - self.bad


def fill(kafka: RealKafka, kind: Events, events: int) -> Topic:
    """Create the topic *kind* of a race with so many events, spread evenly over its partitions."""
    count = min(FEW, events) if kind == "few" else events
    topic = kafka.create_topic(PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 20, "batch.num.messages": 20_000})
    bad = 0
    for number, (_, payload) in enumerate(itertools.islice(make_events(SEED), count)):
        is_bad = kind == "bad" and number % BAD_EVERY == BAD_EVERY // 2
        bad += is_bad
        _produce(producer, topic, b"no event" if is_bad else full_event(payload), number % PARTITIONS)
    if producer.flush(FLUSH_SECONDS):
        raise TimeoutError(f"the broker did not take all events within {FLUSH_SECONDS} s")
    return Topic(topic, count, bad)


def full_event(payload: bytes) -> bytes:
    """Return a made-up event with every column: the way of most checks."""
    event = msgspec.json.decode(payload)
    return msgspec.json.encode({**event, "customer_id": f"c-{event['external_customer_id']}"})


def _produce(producer: Producer, topic: str, value: bytes, partition: int) -> None:
    while True:
        try:
            producer.produce(topic, value, partition=partition)
        except BufferError:
            producer.poll(0.1)
        else:
            return
