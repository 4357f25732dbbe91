"""How long a partition with continuous input stands still, seen from outside: the table has nothing new of it."""

import itertools
import threading
import time

from confluent_kafka import Producer

from millstream.router.worker_thread import WorkerThread
from tests.handlers.cli.command_aids import make_payload

FEED_SECONDS = 0.05
LOOK_SECONDS = 0.1
END_SECONDS = 30.0
WAIT_SECONDS = 90.0


class _Repeating:
    """Does something every so many seconds, on a thread of its own; a context manager."""

    def __init__(self, name, seconds):
        self._seconds = seconds
        self._done = threading.Event()
        self._thread = WorkerThread(name, self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """End it; raises what it died of. May be called twice."""
        self._done.set()
        assert self._thread.join(time.monotonic() + END_SECONDS)
        if self._thread.error is not None:
            raise self._thread.error

    def _run(self):
        while not self._done.wait(self._seconds):
            self.do()


class Feed(_Repeating):
    """Publishes an event to each partition again and again."""

    def __init__(self, place, partitions):
        super().__init__("feeding", FEED_SECONDS)
        self._producer = Producer({"bootstrap.servers": place.kafka.bootstrap_servers, "linger.ms": 0})
        self._topic = place.topic
        self._partitions = partitions
        self._numbers = itertools.count()
        self.ids = []
        """Of what was published."""

    def do(self):
        """Publish one more to each."""
        for partition in range(self._partitions):
            self.ids.append(f"event-{next(self._numbers)}")
            self._producer.produce(
                self._topic, make_payload(id=self.ids[-1], source=str(partition)), partition=partition
            )
        self._producer.poll(0)

    def stop(self):
        """End it, with everything confirmed."""
        super().stop()
        assert self._producer.flush(END_SECONDS) == 0


class Standstill(_Repeating):
    """Looks at what is stored; from the time when there is something of every partition."""

    def __init__(self, place, partitions):
        super().__init__("watching", LOOK_SECONDS)
        self._store = place.clickhouse.open()
        self._count = f"SELECT source, count() FROM {place.database}.{place.table} GROUP BY source"
        self._partitions = partitions
        self._moved = {}
        """By partition: how many rows there were last, and since when."""
        self._is_begun = threading.Event()
        self.longest = 0.0
        """Seconds."""

    def wait_begun(self):
        """Wait until something of every partition is stored."""
        assert self._is_begun.wait(WAIT_SECONDS), self._moved

    def do(self):
        """Look once."""
        counts = dict(self._store.query(self._count).rows)
        now = time.monotonic()
        for partition, rows in counts.items():
            before, since = self._moved.get(partition, (0, now))
            if self._is_begun.is_set():
                self.longest = max(self.longest, now - since)
            if rows > before:
                self._moved[partition] = (rows, now)
        if len(self._moved) == self._partitions and not self._is_begun.is_set():
            self._moved = {partition: (rows, now) for partition, (rows, _) in self._moved.items()}
            self._is_begun.set()

    def stop(self):
        """End it."""
        super().stop()
        self._store.close()
