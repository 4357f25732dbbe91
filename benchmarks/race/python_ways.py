"""One run of the race, in a process of its own: `python -m benchmarks.race.python_ways WAY BROKERS TOPIC GROUP EVENTS STORE_DSN`.

Prints one JSON object: seconds from the first message to the last row, and CPU seconds of the process in that time; with chDB
the engine is a part of it. Of the product also the bytes in memory after a fifth of the rows and at the end. Each way reads the
whole topic from its beginning in a group of its own, into the table `events`.
"""

import contextlib
import resource
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import clickhouse_connect
import msgspec
from confluent_kafka import Consumer

from benchmarks.race.results import Measured
from benchmarks.race.ways import ROWS_PER_INSERT, SETTINGS
from millstream.handlers import BatchConfig, EventConsumptionService, EventRepository, LaneConfig
from millstream.handlers.cli.allocator import tune_allocator
from millstream.handlers.cli.gc_tuning import tune_gc
from millstream.handlers.events import EVENT_COLUMNS
from millstream.handlers.events.lanes import Delivery
from millstream.handlers.store import StoreDsn
from millstream.handlers.store.driver import Client, open_folder
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import DROP, HandlerFunc, KafkaSubscriber, KafkaSubscriberConfig, Message, Middleware, Router
from millstream.router.kafka.properties import subscriber_properties

CHUNK = 1_000
RAW_PROPERTIES = {"auto.offset.reset": "earliest", "enable.partition.eof": False}
"""Of the loop by hand: where it begins, and that the end of a partition comes to it as no record."""
RAW_AHEAD = 3
"""INSERTs that it may be ahead: one that runs, and two that wait."""
LOOK_SECONDS = 0.02


class Timing:
    """From the first message to the last row. What is committed behind that costs nobody time: Bento does so once a second."""

    def __init__(self) -> None:
        self.began = self.cpu = 0.0
        self.measured = Measured(0.0, 0.0)

    def begin(self) -> None:
        """Note the first message."""
        self.began, self.cpu = time.perf_counter(), time.process_time()

    def end(self, resident: tuple[int, int] | None = None) -> None:
        """Note the last row."""
        self.measured = Measured(time.perf_counter() - self.began, time.process_time() - self.cpu, resident)

    def tell(self) -> None:
        """Print what it took."""
        print(msgspec.json.encode(self.measured).decode())


def run_raw(config: KafkaSubscriberConfig, topic: str, events: int, dsn: str) -> None:
    """What anybody would write by hand: poll, collect, INSERT on another thread, store offsets behind it; no checks at all."""
    client = _open(dsn)
    consumer = Consumer(subscriber_properties(config) | RAW_PROPERTIES)
    consumer.subscribe([topic])
    timing, seen = Timing(), 0
    rows: list[Any] = []  # bytes, as no record of the race is without a value
    with ThreadPoolExecutor(1) as inserting:
        sent: deque[Future[None]] = deque()
        while seen < events:
            records = consumer.consume(CHUNK, 1.0)
            if records and not seen:
                timing.begin()
            for record in records:
                assert record.error() is None, record.error()
                record.partition()
                record.offset()
                rows.append(record.value())
            seen += len(records)
            if len(rows) >= ROWS_PER_INSERT or seen == events:
                sent.append(inserting.submit(_insert, client, rows))
                rows = []
            if len(sent) > RAW_AHEAD:
                sent.popleft().result()
        for each in sent:
            each.result()
    timing.end()
    # By position: all that was read is in the table now.
    consumer.store_offsets(offsets=consumer.position(consumer.assignment()))
    consumer.commit(asynchronous=False)
    consumer.close()
    client.close()
    timing.tell()


def _insert(client: Client, rows: list[bytes]) -> None:
    client.raw_insert("events", EVENT_COLUMNS, b"\n".join(rows), settings=SETTINGS, fmt="JSONEachRow")


def _open(dsn: str) -> Client:
    address = StoreDsn.parse(dsn)
    if address.folder is None:
        return clickhouse_connect.get_client(dsn=dsn)
    with contextlib.closing(EventRepository.open(dsn)):  # makes the table
        return open_folder(address, address.folder)


class CountMessages:
    """A middleware of a user's own, which sees each message."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*."""

        def counting(message: Message) -> Sequence[Message] | None:
            self.count += 1
            return next_handler(message)

        return counting


def run_product(
    config: KafkaSubscriberConfig,
    topic: str,
    events: int,
    dsn: str,
    *middlewares: Middleware,
    delivery: Delivery = "at_least_once",
    batch: BatchConfig | None = None,
) -> None:
    """The regular lane with the chain of `millstream run`."""
    repository = EventRepository.open(dsn)
    service = EventConsumptionService(repository, batch_config=batch)
    router = Router()
    router.add_middleware(CorrelationID(), FailurePolicy(), *middlewares)
    subscriber = KafkaSubscriber(config)
    lane = LaneConfig(topic=topic, consumer_group=config.group_id, topic_dlq="drop", delivery=delivery)
    handler = service.register_handler(router, subscriber, lane=lane, poison=DROP)
    assert handler is not None
    timing, pause = Timing(), threading.Event()
    router.start()
    while not (timing.began or pause.wait(LOOK_SECONDS)):
        if any(each.pending for each in subscriber.statistics()[0].partitions):
            timing.begin()
    at_a_fifth = 0
    while (through := service.stats.events + handler.poisoned) < events:
        if not at_a_fifth and through >= events // 5:
            at_a_fifth = _resident_bytes()
        pause.wait(LOOK_SECONDS)
    timing.end((at_a_fifth, _resident_bytes()) if at_a_fifth else None)  # a short run is over between two looks
    router.close()  # commits what is stored
    repository.close()
    timing.tell()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


ONE_BY_ONE = BatchConfig(batch_size=1, flush_interval=0.1)
RUN_BY_NAME: dict[str, Callable[[KafkaSubscriberConfig, str, int, str], None]] = {
    "raw": run_raw,
    "product": run_product,
    "bad": run_product,
    "at-most-once": lambda *given: run_product(*given, delivery="at_most_once"),
    "middleware": lambda *given: run_product(*given, CountMessages()),
    "unbatched": lambda *given: run_product(*given, batch=ONE_BY_ONE),
    "chdb-raw": run_raw,
    "chdb-product": run_product,
}


def main() -> None:
    """Run one way."""
    way, brokers, topic, group, events, dsn = sys.argv[1:]
    tune_allocator()
    tune_gc()
    RUN_BY_NAME[way](KafkaSubscriberConfig(brokers=[brokers], group_id=group), topic, int(events), dsn)


if __name__ == "__main__":
    main()
