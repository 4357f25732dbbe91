"""One run of Bento: from its first fetch with records to the last row in the table.

It commits behind that, which is waited for and costs it no time. A batch of its is of one partition and goes when it is full, so
each partition must come out even: `batch_rows`.
"""

import collections
import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from benchmarks.race.bento_program import FOLDER
from benchmarks.race.results import Measured
from benchmarks.race.tables import ServerTable
from benchmarks.race.topics import Topic
from benchmarks.race.ways import PARTITIONS, ROWS_PER_INSERT, RaceError
from millstream.router.worker_thread import WorkerThread
from tests.router.kafka.real_kafka import RealKafka

FETCHED = re.compile(r"read Fetch .*?bytes_read=(\d+)|bytes_read=(\d+).*?read Fetch ")
EMPTY_BYTES = 1_000
"""An answer to a fetch that brings no records is shorter; one with some has hundreds of thousands."""
LOOK_SECONDS = 0.02
START_SECONDS, RUN_SECONDS, COMMIT_SECONDS, STOP_SECONDS = 60.0, 600.0, 60.0, 30.0
KEPT_LINES = 5


def batch_rows(events: int) -> int:
    """Return how many rows Bento's batches have, so that the last one of a partition is full as well.

    Raises:
        RaceError: there is no such number.
    """
    share, rest = divmod(events, PARTITIONS)
    rows = min(share, ROWS_PER_INSERT)
    if not rows or rest or share % rows:
        step = PARTITIONS * ROWS_PER_INSERT
        raise RaceError(f"with Bento, --events has to be a multiple of {step:,}, or of {PARTITIONS} below that")
    return rows


def run_bento(program: Path, table: ServerTable, kafka: RealKafka, topic: Topic, group: str) -> Measured:
    """Run it once and return what it took.

    Raises:
        RaceError: it ended, or came to no end.
    """
    given = {
        "BROKERS": kafka.bootstrap_servers,
        "TOPIC": topic.name,
        "GROUP": group,
        "URL": table.insert_url,
        "ROWS": str(batch_rows(topic.events)),
    }
    with _running(program, given) as bento:
        bento.require(bento.fetched.wait(START_SECONDS), "fetched nothing")
        bento.wait_until(lambda: table.rows() >= topic.rows, RUN_SECONDS, "left rows out")
        measured = bento.measured()
        ends = kafka.end_offsets(topic.name)
        bento.wait_until(
            lambda: kafka.committed(group, topic.name) == ends, COMMIT_SECONDS, "did not commit everything"
        )
    return measured


class RunningBento:
    """A process, and a thread that reads what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.fetched, self.ended = threading.Event(), threading.Event()
        self._process = process
        self._began = self._cpu = 0.0
        self._said: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self.reader = WorkerThread("bento", self._read)

    def measured(self) -> Measured:
        """Return what it took from its first fetch until now."""
        return Measured(time.perf_counter() - self._began, self._cpu_clock() - self._cpu)

    def wait_until(self, condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
        """Look for *condition* again and again; RaceError with *otherwise* when it does not hold in time, or it ended."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.require(time.monotonic() < deadline, otherwise)
            self.ended.wait(LOOK_SECONDS)

    def require(self, is_right: bool, otherwise: str) -> None:
        """Raise RaceError with *otherwise* and its last words, unless *is_right* and it still runs."""
        if not is_right or self.ended.is_set():
            raise RaceError(f"Bento {'ended' if self.ended.is_set() else otherwise}: {' | '.join(self._said)}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = None if self.fetched.is_set() else FETCHED.search(line)
            if found is not None and int(found[1] or found[2]) > EMPTY_BYTES:
                self._began, self._cpu = time.perf_counter(), self._cpu_clock()
                self.fetched.set()
            if "level=debug" not in line:
                self._said.append(line.strip())
        self.ended.set()
        self.fetched.set()

    def _cpu_clock(self) -> float:
        # What clock_getcpuclockid(3) gives for a process on Linux: its CPU time of all threads, to the nanosecond.
        return time.clock_gettime((~self._process.pid) << 3 | 2)


@contextlib.contextmanager
def _running(program: Path, given: Mapping[str, str]) -> Iterator[RunningBento]:
    line = [str(program), "-c", str(FOLDER / "race.yaml")]
    with subprocess.Popen(
        line,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **given},
    ) as process:
        bento = RunningBento(process)
        bento.reader.start()
        try:
            yield bento
        finally:
            process.terminate()
            if not bento.ended.wait(STOP_SECONDS):
                process.kill()
