"""What memory `millstream run` needs while its store is away and more events wait in Kafka than it may ever hold.

    make bench ARGS="-k bench_away"

A million events in four partitions, real Kafka, and a real ClickHouse of our own, which is killed once the first of them are
stored. Memory is looked at every second for three minutes (BENCH_AWAY_SECONDS, more than 60), then the server comes back, and
everything has to be in the table once. The run fails where memory, after the first minute, grows by a megabyte or more in each,
or is above 300 MB.
"""

import os
import threading
from pathlib import Path

import pytest

from benchmarks.race.topics import fill
from tests.handlers.cli.run.conftest import make_place
from tests.handlers.cli.run.steady_load import wait_committed
from tests.handlers.cli.run.watching import rows_of
from tests.handlers.store.real_clickhouse import OwnClickHouse
from tests.router.kafka.real_kafka import OwnKafka

EVENTS = int(os.environ.get("BENCH_AWAY_EVENTS", "1000000"))
SECONDS = int(os.environ.get("BENCH_AWAY_SECONDS", "180"))
FIRST_MINUTE = 60
MEGABYTE = 1_000_000
MOST_GROWTH, MOST = 1.0, 300
"""Megabytes in a minute, and in all."""


@pytest.fixture
def place(tmp_path):
    """A topic and a table, on servers of our own: one of them is killed."""
    for name in ("kafka", "clickhouse"):
        (tmp_path / name).mkdir()
    kafka, clickhouse = OwnKafka(tmp_path / "kafka"), OwnClickHouse(tmp_path / "clickhouse")
    with make_place(tmp_path, kafka, clickhouse) as made:
        yield made
    clickhouse.close()
    kafka.close()


def resident_megabytes(process):
    """Return the resident memory of *process*."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE


def look(service):
    """Return the memory of each second in which the store was away."""
    pause, looks = threading.Event(), []
    while len(looks) < SECONDS:
        pause.wait(1)
        assert service.process.poll() is None, service.lines
        looks.append(resident_megabytes(service.process))
    return looks


def bench_away(place):
    """Print what memory was in use, and whether that grew."""
    topic = fill(place.kafka, "all", EVENTS)
    place.sections["event_processing"].update(topic=topic.name)
    place.topic = topic.name
    place.sections["batch"] = {}
    place.write()
    with place.service() as service:
        service.wait_for("partitions assigned")
        while not place.committed():
            threading.Event().wait(0.01)
        place.clickhouse.kill()
        service.wait_for("store down")
        looks = look(service)
        place.clickhouse.start()
        is_stored = wait_committed(place, EVENTS)
        code = service.end()
    settled = looks[FIRST_MINUTE:]
    early, late = settled[0], settled[-1]
    growth = (late - early) / ((SECONDS - FIRST_MINUTE) / 60)
    print(f"\nat first {looks[0]:.0f} MB, after a minute {early:.0f} MB, after {SECONDS} s {late:.0f} MB:", end=" ")
    print(f"{growth:+.2f} MB a minute; most after the first {max(settled):.0f} MB", flush=True)
    assert (is_stored, code) == (True, 0), service.lines
    assert rows_of(place) == (EVENTS, EVENTS)
    assert growth < MOST_GROWTH
    assert max(settled) <= MOST
