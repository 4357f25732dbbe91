"""The store on clickhouse-connect: one implementation for a ClickHouse server and for an embedded chDB folder.

Nothing else imports the driver. What it does by itself, measured with 1.12 and chDB 26.9, and what is done about it:

- over HTTP it sends an INSERT again when the connection drops, unless the body is an iterator: so the body is one, and
  every attempt is one that `InsertPlan` knows of;
- a chDB handle is not safe for a second statement while a stream is open, and when a statement fails half-way its
  output stands before the answer of the next one: so statements of a user get a handle of their own (10 ms);
- two inserts on one chDB handle wait for each other, on two handles they run side by side: so inserts take an idle
  handle or open one;
- chDB takes an INSERT from a temporary file in the machine's TMPDIR; a full one is a store that is unavailable.

Opening warms everything up that an insert of lines needs (pandas is not needed; pyarrow is loaded by chDB itself).
"""

import contextlib
import importlib.util
import io
import logging
import math
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import clickhouse_connect
import urllib3.exceptions
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    Error,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from millstream.router.errors import ConfigurationError, MillstreamError, StateError

from .chdb_folder import check_not_in_use, folder_in_use, prepare_folder
from .classification import Exchange, classify_insert, classify_query
from .dsn import StoreDsn
from .errors import DataError, StoreMisconfigured, StoreUnavailable
from .insert_settings import insert_settings
from .protocols import LineFormat, Result, Store
from .reasons import http_status, row_hint, row_reason, short_reason
from .statement import answers_rows, checked_statement

# The driver warns about every broken connection, and without a handler Python prints that to stderr beside our error.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

CHDB_OPTIONS = {"background_pool_size": 1, "background_merges_mutations_concurrency_ratio": 1}
"""One merge at a time, not four: over a million rows on 2 cores the process grew by 6-16% after the first fifth instead of
17-35%, and ended with as many parts."""
CONNECT_TIMEOUT = 10
"""Seconds to reach a server, as the driver has it."""
QUERY_TIMEOUT = 300
"""Seconds of silence after which a query is given up, as the driver has it."""
STREAM_CHUNK_BYTES = 1 << 20
"""Bytes read from the engine at a time; chDB makes some megabytes at a time by itself."""

_DRIVER_OPTIONS = frozenset(
    {"verify", "ca_cert", "client_cert", "client_cert_key", "server_host_name", "http_proxy", "https_proxy", "compress"}
)
"""Names in an address that are the driver's, not ClickHouse settings."""

_NEVER_CONNECTED = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


def open_store(
    dsn: StoreDsn | str, *, database: str | None = None, insert_deadline: float = 60.0, create: bool = True
) -> Store:
    """Open a store; blocks until it answered once.

    Args:
        dsn: `chdb:///folder`, `http://user:password@host:8123/database` or `https://…`.
        database: what unqualified table names in `query` and `stream` mean; None is the address's, or the default.
        insert_deadline: seconds to wait for one INSERT before its outcome counts as unknown.
        create: make a chDB folder that is missing.

    Raises:
        ConfigurationError: the address is wrong, chDB is not installed, its folder is unusable, in use by another
            process, or not the one this process has open; or the login is refused.
        StoreUnavailable: no server can be reached there.
    """
    dsn = StoreDsn.parse(dsn) if isinstance(dsn, str) else dsn
    if insert_deadline <= 0:
        raise ConfigurationError(f"insert_deadline={insert_deadline} must be above 0 seconds")
    database = dsn.database if database is None else database
    if dsn.folder is not None:
        return _ClickHouseStore(dsn, _FolderConnections(dsn, dsn.folder, database, create=create), insert_deadline)
    return _ClickHouseStore(dsn, _ServerConnections(dsn, database, insert_deadline), insert_deadline)


class _Connections(Protocol):
    def writing(self) -> contextlib.AbstractContextManager[Client]: ...

    def reading(self, *, read_only: bool) -> contextlib.AbstractContextManager[tuple[Client, dict[str, Any]]]: ...

    def close(self) -> None: ...


class _ClickHouseStore:
    def __init__(self, dsn: StoreDsn, connections: _Connections, insert_deadline: float) -> None:
        self._dsn = dsn
        self._connections = connections
        with connections.writing() as client:
            self._settings = insert_settings(insert_deadline, client.server_settings.keys())

    def __repr__(self) -> str:
        return f"<store {self._dsn.redacted}>"

    def insert_lines(
        self,
        table: str,
        columns: Sequence[str],
        block: bytes,
        token: str,
        settings: Mapping[str, str | int] | None = None,
    ) -> None:
        carried = {**self._settings, **(settings or {}), "insert_deduplication_token": token}
        with self._insert_errors(), self._connections.writing() as client:
            body = cast("Any", iter((block,)))
            client.raw_insert(table, list(columns), body, settings=carried, fmt="JSONEachRow")

    def query(self, sql: str, *, read_only: bool = True) -> Result:
        statement = checked_statement(sql, read_only=read_only)
        with self._query_errors(), self._connections.reading(read_only=read_only) as (client, settings):
            if not answers_rows(statement):
                client.command(statement, settings=settings)
                return Result(columns=(), rows=[])
            answer = client.query(statement, settings=settings)
            return Result(columns=tuple(answer.column_names), rows=[tuple(row) for row in answer.result_rows])

    def stream(self, sql: str, line_format: LineFormat, *, read_only: bool = True) -> Iterator[bytes]:
        statement = checked_statement(sql, read_only=read_only)
        with self._query_errors(), self._connections.reading(read_only=read_only) as (client, settings):
            if not answers_rows(statement):
                client.command(statement, settings=settings)
                return
            lines = cast("io.RawIOBase", client.raw_stream(statement, settings=settings, fmt=line_format.value))
            with contextlib.closing(lines):
                while chunk := lines.read(STREAM_CHUNK_BYTES):
                    yield chunk

    def command(self, sql: str) -> None:
        statement = checked_statement(sql, read_only=False)
        with self._query_errors(), self._connections.writing() as client:
            client.command(statement)

    def insert_count(self) -> int:
        # Not through `query`: the database it runs in need not exist yet. The row is absent until the first INSERT.
        with self._query_errors(), self._connections.writing() as client:
            rows = client.query("SELECT value FROM system.events WHERE event = 'InsertQuery'").result_rows
        return int(rows[0][0]) if rows else 0

    def close(self) -> None:
        self._connections.close()

    @contextlib.contextmanager
    def _insert_errors(self) -> Iterator[None]:
        try:
            yield
        except ClickHouseError as error:
            raise _insert_error(self._dsn, error) from error
        except OSError as error:
            # Only the temporary file of an embedded insert raises one; the driver wraps those of the network.
            reason = f"cannot write a temporary file in {tempfile.gettempdir()}: {error.strerror}"
            raise StoreUnavailable(reason) from error

    @contextlib.contextmanager
    def _query_errors(self) -> Iterator[None]:
        try:
            yield
        except (ClickHouseError, urllib3.exceptions.HTTPError) as error:
            raise _query_error(self._dsn, error) from error


class _ServerConnections:
    """Two clients, each for any number of threads at once: inserts end at the deadline, queries may take longer."""

    def __init__(self, dsn: StoreDsn, database: str | None, insert_deadline: float) -> None:
        self._dsn = dsn
        self._database = database
        self._lock = threading.Lock()
        self._is_closed = False
        self._writer = _open_client(dsn, insert_deadline)
        self._reader: Client | None = None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Client]:
        if self._is_closed:
            raise StateError("the store is closed")
        yield self._writer

    @contextlib.contextmanager
    def reading(self, *, read_only: bool) -> Iterator[tuple[Client, dict[str, Any]]]:
        with self._lock:
            if self._is_closed:
                raise StateError("the store is closed")
            if self._reader is None:
                self._reader = _open_client(self._dsn, QUERY_TIMEOUT)
                self._reader.database = self._database
        # The server answers only when the query has ended: an error half-way is an error, not a text among the rows.
        yield self._reader, {"wait_end_of_query": 1, **({"readonly": 1} if read_only else {})}

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
            self._writer.close()
            if self._reader is not None:
                self._reader.close()


class _FolderConnections:
    """Handles to the one engine this process can have; the first only keeps the engine running."""

    def __init__(self, dsn: StoreDsn, folder: Path, database: str | None, *, create: bool) -> None:
        if importlib.util.find_spec("chdb") is None:
            raise ConfigurationError("a chdb:// store needs chDB: pip install 'millstream[embedded]'")
        self._dsn = dsn
        self._folder = prepare_folder(folder, create=create)
        self._database = database
        self._lock = threading.Lock()
        self._idle: list[Client] = []
        self._anchor: Client | None = _open_handle(dsn, self._folder)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Client]:
        client = self._take()
        try:
            yield client
        except BaseException:
            # What a failed statement leaves behind in a handle must not meet the next one.
            client.close()
            raise
        with self._lock:
            if self._anchor is not None:
                self._idle.append(client)
                return
        client.close()

    @contextlib.contextmanager
    def reading(self, *, read_only: bool) -> Iterator[tuple[Client, dict[str, Any]]]:
        self._check_open()
        client = _open_handle(self._dsn, self._folder)
        with contextlib.closing(client):
            client.database = self._database
            if read_only:
                # On the handle, not per statement: there no statement can take it back.
                client.command("SET readonly = 1")
            yield client, {}

    def close(self) -> None:
        with self._lock:
            clients = [*self._idle, *filter(None, [self._anchor])]
            self._idle.clear()
            self._anchor = None
        for client in clients:
            client.close()

    def _take(self) -> Client:
        with self._lock:
            self._check_open()
            if self._idle:
                return self._idle.pop()
        return _open_handle(self._dsn, self._folder)

    def _check_open(self) -> None:
        if self._anchor is None:
            raise StateError("the store is closed")


def _open_client(dsn: StoreDsn, timeout: float) -> Client:
    settings = dict(dsn.settings)
    options: dict[str, Any] = {name: settings.pop(name) for name in _DRIVER_OPTIONS & settings.keys()}
    try:
        # The database is left out: it may not exist before `migrate`, and every request would fail.
        return clickhouse_connect.get_client(
            interface=dsn.scheme,
            host=dsn.host,
            port=dsn.port,
            username=dsn.user or None,
            password=dsn.password,
            settings=settings,
            connect_timeout=CONNECT_TIMEOUT,
            send_receive_timeout=math.ceil(timeout),
            autogenerate_session_id=False,
            dedicated_pool=True,
            **options,
        )
    except ClickHouseError as error:
        raise _opening_error(dsn, error) from error
    except (OSError, ValueError, LookupError) as error:
        raise ConfigurationError(f"{dsn.redacted} does not answer like a ClickHouse server") from error


def _open_handle(dsn: StoreDsn, folder: Path) -> Client:
    try:
        return clickhouse_connect.get_client(
            interface="chdb", path=str(folder), settings=dict(dsn.settings), chdb_options=CHDB_OPTIONS
        )
    except ImportError as error:
        raise ConfigurationError(f"chDB cannot be loaded ({error}): pip install 'millstream[embedded]'") from error
    except ClickHouseError as error:
        raise _opening_folder_error(folder, error) from error


def _opening_folder_error(folder: Path, error: ClickHouseError) -> MillstreamError:
    text = str(error)
    if "already initialized with path" in text:
        other = text.partition("already initialized with path '")[2].partition("'")[0]
        return ConfigurationError(f"cannot open {folder}: this process has another chDB folder open, {other}")
    try:
        check_not_in_use(folder)
    except ConfigurationError:
        # Another process was faster between the check and the opening.
        return folder_in_use(folder)
    reason = short_reason(text).partition("Failed to create connection: ")[2] or short_reason(text)
    return ConfigurationError(f"cannot open the chDB folder {folder}: {reason}")


def _opening_error(dsn: StoreDsn, error: ClickHouseError) -> MillstreamError:
    exchange = _exchange(error)
    code = _code(error)
    kind = classify_query(code, status=http_status(str(error)), exchange=exchange)
    reason = dsn.without_secrets(short_reason(str(error)))
    if _network_cause(error) is not None:
        return StoreUnavailable(f"cannot reach {dsn.redacted}: {_network_reason(error)}")
    if kind is StoreUnavailable:
        return StoreUnavailable(f"{dsn.redacted} cannot answer now: {reason}", code=code)
    return StoreMisconfigured(f"{dsn.redacted} refuses: {reason}", code=code)


def _insert_error(dsn: StoreDsn, error: ClickHouseError) -> MillstreamError:
    text, code, exchange = dsn.without_secrets(str(error)), _code(error), _exchange(error)
    if _network_cause(error) is not None:
        text = f"{dsn.redacted}: {_network_reason(error)}"
    kind = classify_insert(code, text, status=http_status(text), exchange=exchange)
    if kind is DataError:
        return DataError(row_reason(text), code=code, row=row_hint(text))
    return kind(short_reason(text), code=code)


def _query_error(dsn: StoreDsn, error: Exception) -> MillstreamError:
    text, code, exchange = dsn.without_secrets(str(error)), _code(error), _exchange(error)
    if _network_cause(error) is not None:
        text = f"{dsn.redacted}: {_network_reason(error)}"
    kind = classify_query(code, status=http_status(text), exchange=exchange)
    return kind(short_reason(text), code=code)


def _code(error: Exception) -> int | None:
    # Foreign exceptions carry a `.code` of their own meaning, so only the driver's own class is asked.
    return error.code if isinstance(error, Error) else None


def _exchange(error: Exception) -> Exchange:
    cause = _network_cause(error)
    if cause is None:
        is_local = isinstance(error, ProgrammingError | NotSupportedError) and error.code is None
        return Exchange.REFUSED_BY_DRIVER if is_local else Exchange.ANSWERED
    return Exchange.NEVER_SENT if isinstance(cause, _NEVER_CONNECTED) else Exchange.INTERRUPTED


def _network_cause(error: Exception) -> Exception | None:
    cause = error.__cause__ if isinstance(error, OperationalError) else error
    if isinstance(cause, urllib3.exceptions.MaxRetryError) and cause.reason is not None:
        return cause.reason
    return cause if isinstance(cause, urllib3.exceptions.HTTPError) else None


def _network_reason(error: Exception) -> str:
    cause = _network_cause(error)
    inner = getattr(cause, "__cause__", None) or getattr(cause, "__context__", None)
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return short_reason(str(cause).rpartition(">: ")[2] or str(cause))
