"""`millstream ingest` at its limits: killed at any moment, a year of days, a great many events."""

import itertools
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.handlers.cli.command_aids import command, environment, make_payload, query, run, write_events

pytestmark = pytest.mark.slow

COUNT = 1_000_000
KILLS = [pytest.param(60_000, 2, id="short"), pytest.param(400_000, 10, id="long", marks=pytest.mark.soak)]
"""Events, and how often their ingest is killed."""
SENT, STORED = b"batch flush triggered", b"batch flush successful"
LOGGED = ("--log-level", "INFO", "--log-format", "json")
STATUS = re.compile(rb"stored (\d+) poisoned \d+ inserts (\d+)")
EARLY_PART, LATE_PART, MEMORY_GROWTH = 0.2, 0.8, 1.15
"""In the last fifth memory comes down to at most 1.15 of what it was in the first: some 70 MB more. What would be kept of 600,000
events, as bare lines, is 160 MB. Not its peak: a merge that the engine has in hand takes some 100 MB, on a busy machine for
long."""


class Watched:
    """A running ingest whose stderr is read as it comes."""

    def __init__(self, folder, *arguments):
        self.process = subprocess.Popen(
            command("ingest", *arguments), cwd=folder, stderr=subprocess.PIPE, env=environment(PYTHONUNBUFFERED="1")
        )
        self.status = (0, 0)
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)
            if found := STATUS.match(line):
                self.status = (int(found[1]), int(found[2]))

    def kill(self):
        """Kill it with SIGKILL; returns the last counts that it printed."""
        self.process.kill()
        return self._end()

    def wait(self):
        """Wait for its end."""
        self.process.wait(300)
        return self._end()

    def _end(self):
        self.process.wait()
        self._reader.join(60)
        self.process.stderr.close()
        return self.status

    def wait_until(self, seconds):
        """Wait until *seconds* from now, or its end; returns whether it still runs."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def wait_for(self, text, count):
        """Wait until *count* of its lines had *text*, or its end; returns whether it still runs."""
        while sum(text in line for line in list(self.lines)) < count and self.wait_until(0.002):
            pass
        return self.process.poll() is None


def count_flushes(folder):
    """Ingest everything once; returns how many batches that were."""
    watched = Watched(folder, "in.ndjson", "--store", "chdb://calm", *LOGGED)
    watched.wait()
    assert watched.process.returncode == 0
    return sum(STORED in line for line in watched.lines)


@pytest.mark.parametrize(("events", "kills"), KILLS)
def test_a_killed_ingest_keeps_what_it_called_stored(tmp_path, events, kills):
    """Kill -9 all over the run, under an INSERT and after it: the folder opens, holds what was printed, and is completed."""
    write_events(tmp_path / "in.ndjson", events)
    flushes = count_flushes(tmp_path)
    assert flushes >= kills
    killed_between = 0
    for number in range(kills):
        watched = Watched(tmp_path, "in.ndjson", *LOGGED)
        was_running = watched.wait_for((SENT, STORED)[number % 2], 1 + number * flushes // kills)
        stored, _ = watched.kill()
        assert run("migrate", cwd=tmp_path).returncode == 0  # the first kill may come before there is a table
        found = int(query("SELECT count() FROM events FINAL", cwd=tmp_path))
        killed_between += was_running and found > 0
        assert found >= stored
    done = run("ingest", "in.ndjson", cwd=tmp_path)

    assert killed_between >= kills // 2
    assert done.returncode == 0
    assert query("SELECT count() FROM events FINAL", cwd=tmp_path) == str(events)


def test_events_over_400_days_are_stored(tmp_path):
    """More days than ClickHouse takes in one INSERT are cut by day."""
    days = [f"{year}-{month:02}-{day:02}" for year in (2024, 2025) for month in range(1, 11) for day in range(1, 21)]
    lines = [make_payload(id=str(n), timestamp=f"{day}T00:00:00Z") for n, day in enumerate(days * 5)]
    (tmp_path / "in.ndjson").write_bytes(b"\n".join(lines))
    done = run("ingest", "in.ndjson", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert query("SELECT count(), uniqExact(toDate(timestamp)) FROM events", cwd=tmp_path) == "2000\t400"


def resident_bytes(process):
    """Return the resident memory of *process*."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.soak
def test_all_events_need_no_more_memory_than_a_fifth_of_them(tmp_path):
    """Memory does not grow with the input."""
    write_events(tmp_path / "in.ndjson", COUNT)
    watched = Watched(tmp_path, "in.ndjson")
    samples = []
    while watched.process.poll() is None:
        memory = resident_bytes(watched.process)
        samples.append((watched.status[0], memory))
        watched.wait_until(0.05)
    watched.wait()
    early = max(memory for _, memory in itertools.takewhile(lambda sample: sample[0] <= COUNT * EARLY_PART, samples))
    # A process that has ended, and was not waited for yet, has none.
    late = min(memory for stored, memory in samples if memory and stored >= COUNT * LATE_PART)
    sys.stdout.write(
        f"resident: up to {early / 1e6:.0f} MB while the first fifth was stored, down to {late / 1e6:.0f} MB in the last\n"
    )

    assert watched.process.returncode == 0
    assert watched.status[0] == COUNT
    assert late <= early * MEMORY_GROWTH
