"""Somebody outside who compares what a group has committed with what the table holds, many times a second."""

import contextlib
import json
import threading
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from millstream.handlers.store import QueryError, StoreUnavailable
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.raw_records import read_records

BAD = b"bad"
"""In the payload of what is no event: it goes to the poison topic, and nobody waits for it in the table."""
LOOK_SECONDS = 0.1
ANSWER_SECONDS = 2.0
END_SECONDS = 30.0


def lay_out(place, store, count, partitions):
    """Write down in a table of its own where each event of the topic lies, but for bad ones, and return its name."""
    records = read_records(place.kafka.bootstrap_servers, place.topic, count, partitions)
    name = f"{place.database}.layout"
    store.command(f"CREATE TABLE {name} (id String, partition UInt16, offset UInt64) ENGINE = MergeTree ORDER BY id")
    lines = [
        b'{"id":"%b","partition":%d,"offset":%d}' % (id_of(record), record.partition(), record.offset())
        for record in records
        if BAD not in record.value()
    ]
    store.insert_lines(name, ["id", "partition", "offset"], b"\n".join(lines), "layout")
    return name


def id_of(record):
    """Return the id of the event that a record holds."""
    return json.loads(record.value())["id"].encode()


class Watch:
    """Looks from `start` to `stop`, on a thread of its own.

    The commits are looked at first, then the table: a row that comes in between can hide nothing but that moment.
    """

    def __init__(self, place, partitions, layout):
        self.looks = 0
        """How often both have answered."""
        self.ahead = []
        """Where an event was committed that the table has not: (partition, committed, the first that is missing)."""
        self._places = [TopicPartition(place.topic, partition) for partition in range(partitions)]
        settings = {"bootstrap.servers": place.kafka.bootstrap_servers, "group.id": place.group, "log_level": 0}
        self._consumer = Consumer({**settings, "enable.auto.commit": False})
        self._clickhouse = place.clickhouse
        self._missing = (
            f"SELECT partition, min(offset) FROM {layout} WHERE id NOT IN"
            f" (SELECT id FROM {place.database}.{place.table}) GROUP BY partition"
        )
        self._done = threading.Event()
        self._thread = WorkerThread("watching", self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        assert self._thread.join(time.monotonic() + END_SECONDS)
        self._consumer.close()
        if self._thread.error is not None:
            raise self._thread.error

    def committed(self):
        """Return what is committed, by partition; raises KafkaException where nobody answers."""
        answer = self._consumer.committed(self._places, ANSWER_SECONDS)
        return {each.partition: each.offset for each in answer if each.offset >= 0}

    def _run(self):
        store = None
        due = time.monotonic()
        while not self._done.wait(max(0.0, due - time.monotonic())):
            due = max(due + LOOK_SECONDS, time.monotonic())
            try:
                # Anew after a failure: a server that was killed has broken its connections.
                store = self._clickhouse.open() if store is None else store
                self._look(store)
            except (KafkaException, StoreUnavailable, QueryError):
                if store is not None:
                    store.close()
                store = None
        if store is not None:
            store.close()

    def _look(self, store):
        committed = self.committed()
        missing = dict(store.query(self._missing).rows)
        self.looks += 1
        self.ahead += [
            (partition, offset, missing[partition])
            for partition, offset in committed.items()
            if partition in missing and offset > missing[partition]
        ]


def rows_of(place):
    """Return how many rows the table has, and how many different ids."""
    with contextlib.closing(place.clickhouse.open()) as store:
        return store.query(f"SELECT count(), uniqExact(id) FROM {place.database}.{place.table}").rows[0]


def stored_past_commit(place, layout):
    """Return how many events the table has that the group has not committed: they come again."""
    committed = place.kafka.committed(place.group, place.topic)
    past = " OR ".join(f"(partition = {at} AND offset < {offset})" for at, offset in committed.items()) or "0"
    with contextlib.closing(place.clickhouse.open()) as store:
        sql = (
            f"SELECT count() FROM {layout} WHERE NOT ({past}) AND id IN (SELECT id FROM {place.database}.{place.table})"
        )
        return store.query(sql).rows[0][0]
