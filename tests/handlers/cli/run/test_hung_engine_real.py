"""`millstream run` told to end while its embedded store is in an INSERT that takes long, and nobody can end that one."""

import signal
import subprocess
import sys
import time

import pytest

from tests.handlers.cli.command_aids import TIMEOUT, environment, query, run

CLOSE_SECONDS = 2.0
"""The drain limit of the services here."""
SLACK_SECONDS = 1.5
"""Beyond the limit: for the INSERT in hand, and the end of the interpreter."""
EVENTS = 100
VIEWS = 20
SLOW = "CREATE MATERIALIZED VIEW slow_{} TO seen AS SELECT id FROM events WHERE sleepEachRow(0.005) = 0"
"""Half a second for that many events: an engine that is asleep all the time would not notice its end."""
WRITE = """
import sys
from millstream.handlers.store import open_store
store = open_store(sys.argv[1])
for statement in sys.argv[2:]:
    store.command(statement)
store.close()
"""


@pytest.fixture
def service(place):
    """A service in the middle of an INSERT of some 20 s."""
    place.write(
        clickhouse={"dsn": f"chdb://{place.folder}/store"},
        router={"close_timeout": CLOSE_SECONDS},
        batch={"batch_size": EVENTS, "flush_interval": 60.0},
    )
    assert run("migrate", cwd=place.folder).returncode == 0
    views = [SLOW.format(number) for number in range(VIEWS)]
    write(place, "CREATE TABLE seen (id String) ENGINE = MergeTree ORDER BY id", *views)
    place.publish_events(EVENTS)
    with place.service("--log-level", "info") as running:
        running.wait_for("size-based batch flush triggered")
        running.wait_for("partitions assigned")
        yield running


def write(place, *statements):
    """Run statements in the embedded store, which belongs to one process at a time."""
    line = [sys.executable, "-c", WRITE, f"chdb://{place.folder}/store", *statements]
    subprocess.run(line, env=environment(), check=True, timeout=TIMEOUT)


def test_a_signal_ends_it_at_the_drain_limit_with_its_exit_code(place, service):
    """The engine is left alone: taken down under an INSERT it would end the process with a segmentation fault."""
    began = time.monotonic()
    code = service.end()
    seconds = time.monotonic() - began

    assert code == 5, service.lines
    assert seconds < CLOSE_SECONDS + SLACK_SECONDS
    assert place.committed() == 0
    write(place, *[f"DROP VIEW slow_{number}" for number in range(VIEWS)])
    with place.service("--once") as again:
        assert again.wait() == 0
    assert query("SELECT uniqExact(id) FROM events", cwd=place.folder) == str(EVENTS)


def test_a_second_signal_ends_it_at_once_with_its_exit_code(place, service):
    """What is in hand gets a moment: most INSERTs end in that, and are not repeated."""
    service.send(signal.SIGTERM)
    service.wait_for("closing on a signal")
    began = time.monotonic()
    code = service.end()
    seconds = time.monotonic() - began

    assert code == 128 + signal.SIGTERM, service.lines
    assert seconds < SLACK_SECONDS
    assert place.committed() == 0
