"""A run of the race: a new table, a new group, one process; and whether it counts."""

import contextlib
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.race.bento_way import run_bento
from benchmarks.race.results import Measured
from benchmarks.race.tables import ROOT, RunTable, ServerTable, folder_table, server_table
from benchmarks.race.topics import Topic, fill
from benchmarks.race.ways import Events, RaceError, Way
from tests.handlers.store.real_clickhouse import RealClickHouse
from tests.router.kafka.real_kafka import RealKafka, unique

RUN_SECONDS = 600


@dataclass(slots=True)
class Course:
    """What all runs share.

    Args:
        kafka: the broker.
        server: the ClickHouse server; `None` for a race into chDB alone.
        folder: where the folders of chDB come and go.
        bento: the program; `None` where it does not take part.
        events: so many in a whole topic.
    """

    kafka: RealKafka
    server: RealClickHouse | None
    folder: Path
    bento: Path | None
    events: int
    _topics: dict[Events, Topic] = field(default_factory=dict)

    def topic(self, way: Way) -> Topic:
        """Return the topic of *way*, filled at its first use."""
        if way.events not in self._topics:
            self._topics[way.events] = fill(self.kafka, way.events, self.events)
        return self._topics[way.events]

    def run(self, way: Way) -> Measured:
        """Run *way* once.

        Raises:
            RaceError: it failed, or a row is missing or there twice, or something is not committed.
        """
        topic, group = self.topic(way), unique("race")
        with self._table(way) as table:
            if way.name == "bento":
                assert self.bento is not None
                assert isinstance(table, ServerTable)
                measured = run_bento(self.bento, table, self.kafka, topic, group)
            else:
                measured = self._run_python(way, table, topic, group)
            check_rows(way, topic, *table.count())
        if self.kafka.committed(group, topic.name) != self.kafka.end_offsets(topic.name):
            raise RaceError(f"{way.label}: not everything is committed")
        return measured

    def _table(self, way: Way) -> contextlib.AbstractContextManager[RunTable]:
        if way.target == "chdb":
            return folder_table(self.folder)
        assert self.server is not None
        return server_table(self.server)

    def _run_python(self, way: Way, table: RunTable, topic: Topic, group: str) -> Measured:
        line = [sys.executable, "-m", "benchmarks.race.python_ways", way.name]
        given = [self.kafka.bootstrap_servers, topic.name, group, str(topic.events), table.dsn]
        try:
            done = subprocess.run(
                [*line, *given], capture_output=True, text=True, check=False, cwd=ROOT, timeout=RUN_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise RaceError(f"{way.label} came to no end within {RUN_SECONDS} s") from None
        if done.returncode:
            raise RaceError(f"{way.label} failed:\n{done.stderr.strip()}")
        return msgspec.json.decode(done.stdout, type=Measured)


def check_rows(way: Way, topic: Topic, rows: int, ids: int) -> None:
    """Raise RaceError unless the table has each good event of *topic* exactly once."""
    if ids != topic.rows:
        raise RaceError(f"{way.label}: {topic.rows - ids:,} of {topic.rows:,} events are not in the table")
    if rows != ids:
        raise RaceError(f"{way.label}: {rows - ids:,} rows are in the table twice")
