"""The connections of a store to a server."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from millstream.router.errors import ConfigurationError, StateError

from .driver import Client, DriverError, open_server, take_apart
from .dsn import StoreDsn
from .failures import opening_error

QUERY_TIMEOUT = 300.0
"""Seconds of silence after which a query is given up, as the driver has it."""


class Limits(msgspec.Struct, frozen=True):
    """Seconds of silence after which a request is given up: an INSERT, and a query."""

    insert: float
    query: float = QUERY_TIMEOUT


class ServerConnections:
    """Two clients, each for any number of threads at once: inserts end at the deadline, queries may take longer."""

    def __init__(self, dsn: StoreDsn, database: str | None, limits: Limits) -> None:
        self._dsn = dsn
        self._database = database
        self._lock = threading.Lock()
        self._is_closed = False
        self._limits = limits
        self._writer = _open(dsn, limits.insert)
        self._reader: Client | None = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Client]:
        """Lend the client for inserts and commands."""
        if self._is_closed:
            raise StateError("the store is closed")
        yield self._writer

    @contextlib.contextmanager
    def reading(self, *, read_only: bool) -> Iterator[tuple[Client, dict[str, Any]]]:
        """Lend the client for the statements of a user, with the settings that each must carry."""
        with self._lock:
            if self._is_closed:
                raise StateError("the store is closed")
            if self._reader is None:
                self._reader = _open(self._dsn, self._limits.query)
                self._reader.database = self._database
        # The server answers only when the query has ended: an error half-way is an error, not a text among the rows.
        yield self._reader, {"wait_end_of_query": 1, **({"readonly": 1} if read_only else {})}

    def close(self) -> None:
        """Close both; may be called twice."""
        with self._lock:
            self._is_closed = True
            self._writer.close()
            if self._reader is not None:
                self._reader.close()


def _open(dsn: StoreDsn, timeout: float) -> Client:
    try:
        return open_server(dsn, timeout)
    except DriverError as error:
        raise opening_error(dsn, take_apart(error)) from error
    except (OSError, ValueError, LookupError) as error:
        raise ConfigurationError(f"{dsn.redacted} does not answer like a ClickHouse server") from error
