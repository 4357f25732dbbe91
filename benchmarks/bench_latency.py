"""How late a row is: from the call that publishes an event to the first look that finds its row, through `millstream run`.

    make bench ARGS="-k bench_latency"

1,000 events a second for 20 s (BENCH_LATENCY_SECONDS), real Kafka and real ClickHouse: once with the defaults, where 250 events
make a batch four times a second, and once by time alone. Somebody counts the rows every 5 ms; in one partition the place of an
event tells when its row was there. Those of the first second do not count, as the publisher connects then (0.5 s),
nor those of the last second: nobody comes behind them to fill their batch.
"""

import contextlib
import os
import statistics
import threading
import time
from bisect import bisect_right

from millstream.router import KafkaPublisher, KafkaPublisherConfig
from millstream.router.worker_thread import WorkerThread
from tests.handlers.cli.run.steady_load import event, wait_committed

SECONDS = float(os.environ.get("BENCH_LATENCY_SECONDS", "20"))
RATE = 1_000
TICK_SECONDS = LOOK_SECONDS = 0.005
INTERVAL = 0.5
WAYS = {
    "the defaults: 250 events, 5 s": {},
    "by time alone: `flush_interval = 0.5`": {"batch_size": 50_000, "flush_interval": INTERVAL},
}
MOST_LATE = INTERVAL + 0.1
"""Seconds: what the 99th percentile by time alone may be."""


class Looks:
    """Counts the rows of a table again and again, and notes when it found how many."""

    def __init__(self, place):
        self._place = place
        self._is_over = threading.Event()
        self._counts, self._times = [], []
        self._thread = WorkerThread("looking", self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        assert self._thread.join(time.monotonic() + 10)

    def found(self, place):
        """Return when the row at *place*, from 0, was found."""
        return self._times[bisect_right(self._counts, place)]

    def _run(self):
        query = f"SELECT count() FROM {self._place.database}.{self._place.table}"
        with contextlib.closing(self._place.clickhouse.open()) as store:
            while not self._is_over.wait(LOOK_SECONDS):
                count = int(store.query(query).rows[0][0])
                self._counts.append(count)
                self._times.append(time.monotonic())


def publish(place):
    """Publish evenly, and return when each event was given to the publisher."""
    pause, began, sent = threading.Event(), time.monotonic(), []
    config = KafkaPublisherConfig(brokers=[place.kafka.bootstrap_servers])
    with contextlib.closing(KafkaPublisher(config)) as publisher:
        while len(sent) < SECONDS * RATE:
            while len(sent) < (time.monotonic() - began) * RATE:
                message = event(len(sent))
                sent.append(time.monotonic())
                publisher.publish_async(place.topic, message)
            pause.wait(TICK_SECONDS)
    return sent


def measure(place, batch):
    """Return the seconds of each event, sorted."""
    place.use_topic(1)
    place.sections["batch"] = batch
    place.write()
    with contextlib.closing(place.clickhouse.open()) as store:
        store.command(f"TRUNCATE TABLE {place.database}.{place.table}")
    with place.service() as service, Looks(place) as looks:
        service.wait_for("partitions assigned")
        sent = publish(place)
        assert wait_committed(place, len(sent)), service.lines
        threading.Event().wait(10 * LOOK_SECONDS)
    return sorted(looks.found(number) - at for number, at in list(enumerate(sent))[RATE:-RATE])


def bench_latency(place):
    """Run both ways and print the table."""
    print("\n| settings | median | 99 of 100 within | latest |\n|---|---|---|---|")
    for way, batch in WAYS.items():
        late = measure(place, batch)
        p99 = late[len(late) * 99 // 100]
        print(f"| {way} | {statistics.median(late):.2f} s | {p99:.2f} s | {late[-1]:.2f} s |", flush=True)
    assert p99 <= MOST_LATE
