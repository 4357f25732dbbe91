"""What the router costs beside a bare `consume(500)` loop, on one broker in one run.

    make bench ARGS="-k bench_raw"

The loop reads error, partition, offset and value of each record and does nothing else: no commit, no bound, no order after a
failure. Everything else delivers at least once and commits what is settled. Timed is the way from the first to the last message.
"""

import os
import statistics
import threading
import time
from collections import deque
from dataclasses import dataclass, field

import pytest
from confluent_kafka import Consumer, Producer

from millstream.handlers.cli.gc_tuning import tune_gc
from millstream.middleware import CorrelationID, PoisonQueue, Recoverer, Retry
from millstream.router import KafkaSubscriber, KafkaSubscriberConfig, Router
from millstream.router.kafka.properties import subscriber_properties
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.real_kafka import OwnKafka, RealKafka, unique

MESSAGES = int(os.environ.get("BENCH_KAFKA_MESSAGES", "400000"))
PARTITIONS = 4
RUNS = int(os.environ.get("BENCH_KAFKA_RUNS", "9"))
LIMIT_SECONDS = 120
LOOK_SECONDS = 0.001
CHUNK = 500
RAW_PROPERTIES = {"auto.offset.reset": "earliest", "enable.partition.eof": False}
"""Where the bare loop begins, and that the end of a partition comes to it as no record."""
WAYS = ("raw", "runs", "empty", "four", "hold")
"""By hand; a handler of runs behind four middlewares; one of messages behind none and behind four; one that holds them."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    """The broker of KAFKA_BOOTSTRAP_SERVERS, or one of our own."""
    address = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    kafka = RealKafka(address) if address else OwnKafka(tmp_path_factory.mktemp("kafka"))
    yield kafka
    kafka.close()


@pytest.fixture(scope="module")
def topic(kafka, make_messages):
    """A topic with MESSAGES events as `millstream publish` writes them, spread evenly."""
    topic = kafka.create_topic(PARTITIONS)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 20, "batch.num.messages": 20_000})
    events = make_messages(100_000)
    for number in range(MESSAGES):
        event = events[number % len(events)]
        headers = {"_watermill_message_uuid": event.uuid, "tenant_id": "acme", "environment_id": "prod"}
        while True:
            try:
                producer.produce(topic, event.payload, partition=number % PARTITIONS, headers=headers)
            except BufferError:
                producer.poll(0.1)
            else:
                break
    assert producer.flush(60) == 0
    return topic


@dataclass
class Timing:
    """From the first message to the last."""

    began: float = 0.0
    seen: int = 0
    holds: deque = field(default_factory=deque)

    def rate(self):
        """Return messages/s until now."""
        return self.seen / (time.perf_counter() - self.began)


def config_for(kafka):
    """The same client properties for everybody."""
    return KafkaSubscriberConfig(brokers=[kafka.bootstrap_servers], group_id=unique("bench"))


def run_raw(kafka, topic):
    """Messages/s of the bare loop."""
    consumer = Consumer(subscriber_properties(config_for(kafka)) | RAW_PROPERTIES)
    consumer.subscribe([topic])
    timing = Timing()
    while timing.seen < MESSAGES:
        records = consumer.consume(CHUNK, 1.0)
        timing.began = timing.began or time.perf_counter()
        for record in records:
            assert record.error() is None
            record.partition()
            record.offset()
            record.value()
        timing.seen += len(records)
    rate = timing.rate()
    consumer.close()
    return rate


def run_router(kafka, topic, way):
    """Messages/s through a router; every message is committed at the end."""
    config, timing, done = config_for(kafka), Timing(), threading.Event()
    router = Router()
    if way != "empty":
        router.add_middleware(PoisonQueue(), Retry(), Recoverer(), CorrelationID())
    handler = router.add_consumer_handler(
        "bench", topic, KafkaSubscriber(config), handler_of(way, timing), poison="drop"
    )
    if way == "runs":
        handler.take_runs(taker_of(timing))
    releasing = WorkerThread("releasing", lambda: release_all(timing, done))
    releasing.start()
    router.start()
    deadline, pause = time.perf_counter() + LIMIT_SECONDS, threading.Event()
    while timing.seen < MESSAGES:
        assert time.perf_counter() < deadline, f"{timing.seen} of {MESSAGES} messages"
        pause.wait(LOOK_SECONDS)
    done.set()
    releasing.join(deadline)
    rate = timing.rate()
    router.close()
    assert kafka.committed(config.group_id, topic) == kafka.end_offsets(topic)
    return rate


def handler_of(way, timing):
    """Return what counts, and for `hold` also takes one."""
    owner = object()

    def count(message):
        if not timing.seen:
            timing.began = time.perf_counter()
        timing.seen += 1

    def hold(message):
        timing.holds.append(message.hold(owner))
        count(message)

    return hold if way == "hold" else count


def taker_of(timing):
    """Return what counts the messages of a run."""

    def take(run):
        if not timing.seen:
            timing.began = time.perf_counter()
        timing.seen += len(run.payloads)
        return True

    return take


def release_all(timing, done):
    """Release what is held, batch by batch, until everything was seen and released."""
    is_last = False
    while not is_last:
        is_last = done.wait(LOOK_SECONDS)
        while timing.holds:
            timing.holds.popleft().release()


def bench_raw_against_router(kafka, topic):
    """Each way, alternating; the median of their rates and of their ratios to the bare loop."""
    tune_gc()
    rates = {way: [] for way in WAYS}
    run_raw(kafka, topic)  # the broker's first reading of the topic costs more than the others
    for _ in range(RUNS):
        for way in WAYS:
            rate = run_raw(kafka, topic) if way == "raw" else run_router(kafka, topic, way)
            rates[way].append(rate)
    for way in WAYS:
        ratios = [rate / raw for rate, raw in zip(rates[way], rates["raw"], strict=True)]
        print(
            f"\n{way:6} {statistics.median(rates[way]):>12,.0f} messages/s   "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) of raw",
            end="",
        )
    assert statistics.median([four / raw for four, raw in zip(rates["four"], rates["raw"], strict=True)]) >= 0.4
