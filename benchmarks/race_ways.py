"""One run of the race, in a process of its own: `python benchmarks/race_ways.py WAY BROKERS TOPIC GROUP EVENTS STORE_DSN`.

Prints one JSON object: seconds from the first message to the last commit, and CPU seconds of the process in that time. Each way
reads the whole topic from its beginning in a group of its own, into the table `events` of the database that the DSN names.
"""

import json
import queue
import sys
import threading
import time

import clickhouse_connect
from confluent_kafka import Consumer

from millstream.handlers import EventConsumptionService, EventRepository, LaneConfig
from millstream.handlers.cli.allocator import tune_allocator
from millstream.handlers.cli.gc_tuning import tune_gc
from millstream.handlers.events.schema import EVENT_COLUMNS
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import DROP, KafkaSubscriber, KafkaSubscriberConfig, Router
from millstream.router.kafka.properties import subscriber_properties

ROWS_PER_INSERT = 50_000
CHUNK = 1_000
SETTINGS = {"async_insert": 0, "date_time_input_format": "best_effort", "input_format_json_read_objects_as_strings": 1}
LOOK_SECONDS = 0.02


class Timing:
    """From the first message on."""

    def __init__(self):
        self.began = self.cpu = 0.0

    def begin(self):
        """Note the first message."""
        self.began, self.cpu = time.perf_counter(), time.process_time()

    def tell(self):
        """Print what it took until now."""
        print(json.dumps({"seconds": time.perf_counter() - self.began, "cpu": time.process_time() - self.cpu}))


def run_raw(config, topic, events, dsn):
    """What anybody would write by hand: poll, collect, INSERT on another thread, store offsets behind it; no checks at all."""
    consumer = Consumer(subscriber_properties(config) | {"auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    client = clickhouse_connect.get_client(dsn=dsn)
    full, timing, seen, rows = queue.Queue(2), Timing(), 0, []

    def insert():
        while (batch := full.get()) is not None:
            client.raw_insert("events", EVENT_COLUMNS, b"\n".join(batch), settings=SETTINGS, fmt="JSONEachRow")

    inserting = threading.Thread(target=insert)
    inserting.start()
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
            full.put(rows)
            rows = []
    full.put(None)
    inserting.join()
    # By position: all that was read is in the table now.
    consumer.store_offsets(offsets=consumer.position(consumer.assignment()))
    consumer.commit(asynchronous=False)
    timing.tell()
    consumer.close()


class CountMessages:
    """A middleware of a user's own, which sees each message."""

    def __init__(self):
        self.count = 0

    def __call__(self, next_handler):
        """Wrap *next_handler*."""

        def counting(message):
            self.count += 1
            return next_handler(message)

        return counting


def run_product(config, topic, events, dsn, *middlewares, delivery="at_least_once"):
    """The regular lane with the chain of `millstream run`."""
    repository = EventRepository.open(dsn)
    service = EventConsumptionService(repository)
    router = Router()
    router.add_middleware(CorrelationID(), FailurePolicy(), *middlewares)
    subscriber = KafkaSubscriber(config)
    lane = LaneConfig(topic=topic, consumer_group=config.group_id, topic_dlq="drop", delivery=delivery)
    handler = service.register_handler(router, subscriber, lane=lane, poison=DROP)
    timing, pause = Timing(), threading.Event()
    router.start()
    while not (timing.began or pause.wait(LOOK_SECONDS)):
        if any(each.pending for each in subscriber.statistics()[0].partitions):
            timing.begin()
    while service.stats.events + handler.poisoned < events:
        pause.wait(LOOK_SECONDS)
    router.close()  # commits what is stored
    timing.tell()
    repository.close()


WAYS = {
    "raw": run_raw,
    "product": run_product,
    "one bad in 50,000": run_product,
    "at most once": lambda *given: run_product(*given, delivery="at_most_once"),
    "own middleware": lambda *given: run_product(*given, CountMessages()),
}


def main():
    """Run one way."""
    way, brokers, topic, group, events, dsn = sys.argv[1:]
    tune_allocator()
    tune_gc()
    config = KafkaSubscriberConfig(brokers=[brokers], group_id=group)
    WAYS[way](config, topic, int(events), dsn)


if __name__ == "__main__":
    main()
