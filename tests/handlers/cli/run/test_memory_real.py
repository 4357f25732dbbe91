"""A backlog that is larger than everything a service may hold, while its store is away."""

import threading
from pathlib import Path

import pytest

from millstream.handlers import BatchConfig
from tests.handlers.cli.command_aids import make_payload
from tests.handlers.cli.run.watching import rows_of

pytestmark = pytest.mark.soak  # hundreds of megabytes through a broker

MIB = 1024 * 1024
CHUNK = 20_000
"""Events that are published at a time."""
BUDGET = BatchConfig().max_pending_bytes
"""What waits for the store at most: the default of `[batch] max_pending_bytes`."""
MOST_GROWTH = 12 * BUDGET
"""What a payload becomes while Python works on it is up to twelve times its size; the backlog is larger."""
LEVEL_PART = 1.05
"""What the last sample may be of the one in the middle."""
SAMPLES, SAMPLE_SECONDS = 20, 0.5


def resident_bytes(process):
    """Return the resident memory of *process*."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.parametrize("events", [pytest.param(1_000_000, id="million")])
def test_memory_stays_level_while_a_backlog_waits_for_the_store(breakable_place, events):
    """Intake stops at its bounds; when the store is back everything that waited in Kafka is stored, and nothing was set aside."""
    place, pause = breakable_place, threading.Event()
    place.write(batch={"flush_interval": 0.3, "wait_interval": 0.5})
    place.publish_events(100)
    payload = make_payload(properties={"filler": "x" * 1_000}, id="ID")
    with place.service() as service:
        place.wait_committed(100)
        before = resident_bytes(service.process)
        place.clickhouse.kill()
        for first in range(0, events, CHUNK):
            numbers = range(first, min(events, first + CHUNK))
            place.publish(*(payload.replace(b'"ID"', b'"backlog-%d"' % number) for number in numbers))
        service.wait_for("store down")
        samples = []
        while len(samples) < SAMPLES:
            pause.wait(SAMPLE_SECONDS)
            samples.append(resident_bytes(service.process))
        committed = place.committed()
        place.clickhouse.start()
        place.wait_committed(events + 100)
        code = service.end()

    assert code == 0, service.lines
    assert committed == 100
    assert max(samples) - before < MOST_GROWTH
    assert samples[-1] <= samples[SAMPLES // 2] * LEVEL_PART
    assert rows_of(place) == (events + 100, events + 100)
    assert place.kafka.end_offsets(place.dlq) == {0: 0}
