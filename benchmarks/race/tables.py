"""The table of one run: new, empty, as `millstream migrate` makes it, and counted by the engine."""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from benchmarks.race.ways import SETTINGS, RaceError
from millstream.handlers.events import create_events_table
from millstream.handlers.events.schema import EVENT_COLUMNS
from millstream.handlers.store import Store
from tests.handlers.store.real_clickhouse import RealClickHouse

ROOT = Path(__file__).parents[2]
COUNT_SECONDS = 120


class RunTable(Protocol):
    """A table called `events`."""

    dsn: str
    """The address of its store, with its database."""

    def count(self) -> tuple[int, int]:
        """Return how many rows it has, and how many different ids."""


class ServerTable:
    """In the database *database* of a server."""

    def __init__(self, server: RealClickHouse, store: Store, database: str) -> None:
        self.dsn = server.address(database=database)
        self._server, self._store, self._database = server, store, database

    @property
    def insert_url(self) -> str:
        """Where a body of JSON lines is sent to as one INSERT, with the settings of the loop by hand."""
        statement = f"INSERT INTO events ({', '.join(EVENT_COLUMNS)}) FORMAT JSONEachRow"
        return f"{self._server.address()}?{urlencode({'database': self._database, **SETTINGS, 'query': statement})}"

    def rows(self) -> int:
        """Return how many rows it has, which costs the server next to nothing."""
        [(rows,)] = self._store.query(f"SELECT count() FROM {self._database}.events").rows
        return int(rows)

    def count(self) -> tuple[int, int]:
        [(rows, ids)] = self._store.query(f"SELECT count(), uniqExact(id) FROM {self._database}.events").rows
        return int(rows), int(ids)


class FolderTable:
    """In an embedded store in *folder*."""

    def __init__(self, folder: Path) -> None:
        self.dsn = f"chdb://{folder}"

    def count(self) -> tuple[int, int]:
        """Return what a process of its own counts: no engine may stay behind in this one."""
        told = ask(self.dsn, "SELECT count(), uniqExact(id) FROM events")
        return int(told[0]), int(told[1])


@contextlib.contextmanager
def server_table(server: RealClickHouse) -> Iterator[ServerTable]:
    """Lend a table of *server* in a database of its own, which is dropped afterwards."""
    database = server.create_database()
    try:
        with contextlib.closing(server.open()) as store:
            for statement in create_events_table(database, "events"):
                store.command(statement)
            yield ServerTable(server, store, database)
    finally:
        server.drop_database(database)


@contextlib.contextmanager
def folder_table(folder: Path) -> Iterator[FolderTable]:
    """Lend a table in a new folder below *folder*, which is removed afterwards; the way makes it before its time begins."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        yield FolderTable(Path(place) / "store")


def ask(dsn: str, statement: str) -> list[Any]:
    """Return the one row that the store at *dsn* answers, from a process of its own.

    Raises:
        RaceError: there is none.
    """
    line = [sys.executable, "-m", "benchmarks.race.asking", dsn, statement]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=ROOT, timeout=COUNT_SECONDS)
    if done.returncode:
        raise RaceError(f"{statement}: {done.stderr.strip()}")
    row: list[Any] = json.loads(done.stdout)
    return row
