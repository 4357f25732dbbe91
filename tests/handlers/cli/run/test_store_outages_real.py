"""`millstream run` under load while its ClickHouse is away for seconds: frozen, killed, stopped."""

import contextlib
import itertools
import threading
import time
from pathlib import Path

import pytest

from millstream.router import KafkaPublisher, KafkaPublisherConfig, Message
from millstream.router.testing import eventually
from millstream.router.worker_thread import WorkerThread
from tests.handlers.cli.command_aids import make_payload
from tests.handlers.cli.run.watching import rows_of

OUTAGES = {
    "frozen": (lambda server: server.freeze(), lambda server: server.thaw()),
    "killed": (lambda server: server.kill(), lambda server: server.start()),
    "stopped": (lambda server: server.stop(), lambda server: server.start()),
}
LENGTHS = [pytest.param(8.0, id="short"), pytest.param(60.0, id="long", marks=pytest.mark.soak)]
TICK_SECONDS, TICK_EVENTS = 0.1, 30
INSERT_DEADLINE = 2.0
"""Seconds: short, so that a server which accepts connections and answers nothing is noticed in the short outage too."""
SESSION_SECONDS = 6.0
"""Shorter than an outage: who stops polling loses its partitions meanwhile."""
EARLY = 0.2
"""The part of an outage after which memory is looked at for the first time."""
MEMORY_GROWTH = 1.15
BACK_SECONDS = 3.0
"""From the return of the store to the first INSERT: the wait between two attempts, and an attempt."""
CATCH_UP_SECONDS = 60.0


class Load:
    """Publishes events all the time, on a thread of its own; a context manager."""

    def __init__(self, place):
        self.published = 0
        self._topic = place.topic
        self._publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[place.kafka.bootstrap_servers]))
        self._stopping = threading.Event()
        self._thread = WorkerThread("load", self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self._publisher.close()

    def stop(self):
        """Publish no more, and return how much there is."""
        self._stopping.set()
        assert self._thread.join(time.monotonic() + CATCH_UP_SECONDS)
        assert self._thread.error is None
        return self.published

    def _run(self):
        numbers = itertools.count()
        while not self._stopping.wait(TICK_SECONDS):
            chosen = list(itertools.islice(numbers, TICK_EVENTS))
            messages = [Message(make_payload(id=f"event-{each}"), key=b"%d" % (each % 50)) for each in chosen]
            self._publisher.publish(self._topic, *messages)
            self.published += len(messages)


def resident_bytes(service):
    """Return the resident memory of a service."""
    return int(Path(f"/proc/{service.process.pid}/statm").read_text().split()[1]) * 4096


def seconds_to_first_insert(place):
    """Wait until the table has more rows than now, and return how long that took."""
    began = time.monotonic()
    with contextlib.closing(place.clickhouse.open()) as store:
        statement = f"SELECT count() FROM {place.database}.{place.table}"
        before = store.query(statement).rows
        assert eventually(lambda: store.query(statement).rows != before, CATCH_UP_SECONDS)
    return time.monotonic() - began


@pytest.mark.parametrize("seconds", LENGTHS)
@pytest.mark.parametrize("outage", OUTAGES)
def test_a_store_that_is_away_is_waited_for(breakable_place, outage, seconds):
    """Alive, in its group, its memory flat, nothing poisoned; soon after the return all is stored, and once; said once each."""
    place, pause = breakable_place, threading.Event()
    go, come_back = OUTAGES[outage]
    place.write(kafka={"session_timeout": SESSION_SECONDS}, clickhouse={"insert_deadline": INSERT_DEADLINE})
    with Load(place) as load, place.service() as service:
        place.wait_committed(10 * TICK_EVENTS)
        go(place.clickhouse)
        pause.wait(seconds * EARLY)
        early = resident_bytes(service)
        pause.wait(seconds * (1 - EARLY))
        late = resident_bytes(service)
        come_back(place.clickhouse)
        away = seconds_to_first_insert(place)
        count = load.stop()
        place.wait_committed(count)
        code = service.end()

    assert code == 0, service.lines
    assert len(service.said("partitions assigned")) == 1, service.lines
    assert late <= MEMORY_GROWTH * early
    assert away <= BACK_SECONDS
    assert rows_of(place) == (count, count)
    assert place.kafka.end_offsets(place.dlq) == {0: 0}
    assert [len(service.said(text)) for text in ("store down", "store back")] == [1, 1], service.lines
