"""A steady stream of events into `millstream run`, and what it cost the engine: for tests, and for the table in the docs."""

import contextlib
import threading
import time

import msgspec

from millstream.router import KafkaPublisher, KafkaPublisherConfig, Message
from tests.handlers.cli.command_aids import make_payload

PARTITIONS = 6
TICK_SECONDS = 0.1
LOOK_SECONDS = 0.25
STORED_SECONDS = 600.0
"""What the rest may take: one INSERT for each event is slower than the events come."""
ROLLBACK = {"batch_size": 1, "flush_interval": 0.1, "max_retries": 3}
"""The settings that lead back to one INSERT for each event."""


class Measured(msgspec.Struct, frozen=True):
    """What one run came to.

    Args:
        events: published, and stored once each.
        inserts: the engine's own count.
        late: seconds from the last event to its row.
    """

    events: int
    inserts: int
    late: float


def measure(place, batch, seconds, rate=100):
    """Publish *rate* events a second for *seconds* seconds to a service with *batch* as its `[batch]`, empty for the defaults."""
    place.use_topic(PARTITIONS)
    place.sections["batch"] = batch
    place.write()
    with contextlib.closing(place.clickhouse.open()) as store, place.service() as service:
        store.command(f"TRUNCATE TABLE {place.database}.{place.table}")
        service.wait_for("partitions assigned")
        before = store.insert_count()
        count = publish(place, seconds, rate)
        ended = time.monotonic()
        is_stored = wait_committed(place, count)
        late = time.monotonic() - ended
        code = service.end()
        inserts = store.insert_count() - before

    assert is_stored, service.lines
    assert code == 0, service.lines
    assert len(place.ids()) == len(set(place.ids())) == count
    return Measured(count, inserts, late)


def wait_committed(place, count):
    """Wait until everything is committed, and say whether it was; a look costs the machine that is measured."""
    pause, deadline = threading.Event(), time.monotonic() + STORED_SECONDS
    while place.committed() < count and time.monotonic() < deadline:
        pause.wait(LOOK_SECONDS)
    return place.committed() == count


def publish(place, seconds, rate):
    """Publish evenly, and return how many; with no seconds as fast as it goes, *rate* of them."""
    pause, began, sent = threading.Event(), time.monotonic(), 0
    total = round(seconds * rate) if seconds else rate
    config = KafkaPublisherConfig(brokers=[place.kafka.bootstrap_servers])
    with contextlib.closing(KafkaPublisher(config)) as publisher:
        while sent < total:
            due = min(total, round((time.monotonic() - began) * rate)) if seconds else total
            if due > sent:
                publisher.publish(place.topic, *(event(number) for number in range(sent, due)))
                sent = due
            elif sent < total:
                pause.wait(TICK_SECONDS)
    return total


def event(number):
    """Return the message of one event."""
    return Message(make_payload(id=f"event-{number}"), key=b"%d" % (number % 50))
