"""The store on clickhouse-connect: one implementation for a ClickHouse server and for an embedded chDB folder."""

import contextlib
import functools
import io
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, get_args

from millstream.router.errors import ConfigurationError
from millstream.router.own_process import OwnProcess

from .classification import SETTING_CODES
from .described import require_columns
from .driver import Client, DriverError, StreamError, can_compress, compressed, take_apart
from .dsn import StoreDsn
from .errors import StoreMisconfigured, StoreUnavailable
from .failures import insert_error, query_error
from .folder_connections import FolderConnections
from .insert_settings import SETTINGS_QUERY, SettingState, insert_settings
from .protocols import Compression, InsertSettings, LineFormat, Result, Store
from .row_blocks import RowBlocks
from .server_connections import QUERY_TIMEOUT, Limits, ServerConnections
from .short_answers import short_answer
from .statement import answers_rows, checked_statement, is_short
from .waiting import open_patiently

STREAM_CHUNK_BYTES = 1 << 20
"""Bytes read from the engine at a time; chDB makes some megabytes at a time by itself."""

SERVER_INSERTS = 2
"""At once: one is parsed while the other is sent and written. Measured by `make race`."""

IN_A_CHILD = "open a store in the child"
"""What to do after a fork: on one connection the answers to two processes would be mixed up."""


def open_store(
    dsn: StoreDsn | str,
    *,
    database: str | None = None,
    insert_deadline: float = 60.0,
    create: bool = True,
    wait: float = 0.0,
    query_timeout: float = QUERY_TIMEOUT,
    compression: Compression = "none",
) -> Store:
    """Open a store; blocks until it answered once.

    Args:
        dsn: `chdb:///folder`, `http://user:password@host:8123/database` or `https://…`.
        database: what unqualified table names in `query` and `stream` mean; None is the address's, or the default.
        insert_deadline: seconds to wait for one INSERT before its outcome counts as unknown.
        create: make a chDB folder that is missing.
        wait: seconds to wait for a server that cannot be reached, asking every 2 s; `math.inf` is for as long as it takes. It
            is said once, and once when it is back.
        query_timeout: seconds of silence after which a query to a server is given up.
        compression: how the rows of an INSERT to a server are packed: `"none"`, `"lz4"` or `"zstd"`. Less on the network for more
            work of both processors, so `"none"` where the server is near. An embedded store is sent nothing.

    Raises:
        ConfigurationError: the address is wrong, chDB is not installed, its folder is unusable, in use by another
            process, or not the one this process has open; or the login is refused.
        StoreUnavailable: no server can be reached there, after *wait* seconds.
    """
    dsn = StoreDsn.parse(dsn) if isinstance(dsn, str) else dsn
    if not isinstance(dsn, StoreDsn):  # not shown, as it may hold a password
        raise ConfigurationError(f"the store address is a {type(dsn).__name__}: pass text, such as 'chdb:///folder'")
    if insert_deadline <= 0:
        raise ConfigurationError(f"insert_deadline={insert_deadline} must be above 0 seconds")
    if query_timeout <= 0:
        raise ConfigurationError(f"query_timeout={query_timeout} must be above 0 seconds")
    if wait < 0:
        raise ConfigurationError(f"wait={wait} must be at least 0 seconds")
    _check_compression(compression)
    name = dsn.database if database is None else database
    limits = Limits(insert_deadline, query_timeout)
    return open_patiently(lambda: _open(dsn, name, limits, compression, create=create), within=wait)


def _check_compression(compression: str) -> None:
    if compression not in get_args(Compression):
        raise ConfigurationError(f"compression={compression!r} must be one of {', '.join(get_args(Compression))}")
    if compression != "none" and not can_compress(compression):
        raise ConfigurationError(
            f"compression={compression!r} needs a package that is not there: pip install {compression}"
        )


def _open(dsn: StoreDsn, database: str | None, limits: Limits, compression: str, *, create: bool) -> Store:
    if dsn.folder is not None:
        return _ClickHouseStore(dsn, FolderConnections(dsn, dsn.folder, database, create=create), limits.insert, "none")
    return _ClickHouseStore(dsn, ServerConnections(dsn, database, limits), limits.insert, compression)


class _Connections(Protocol):
    def writing(self) -> contextlib.AbstractContextManager[Client]: ...

    def reading(self, *, read_only: bool) -> contextlib.AbstractContextManager[tuple[Client, dict[str, Any]]]: ...

    def close(self) -> None: ...


class _ClickHouseStore:
    def __init__(self, dsn: StoreDsn, connections: _Connections, insert_deadline: float, compression: str) -> None:
        self.at_once = 1 if dsn.folder is not None else SERVER_INSERTS
        self._dsn = dsn
        self._connections = connections
        self._insert_deadline = insert_deadline
        self._compression = compression
        self._blocks: dict[tuple[str, ...], RowBlocks] = {}
        """By table and columns: what makes their blocks, of types that the engine was asked for."""
        self._process = OwnProcess("store")

    def __repr__(self) -> str:
        return f"<store {self._dsn.redacted}>"

    @functools.cached_property
    def _settings(self) -> InsertSettings:
        # Asked for before the first INSERT, not at the opening: who only reads may well have all of them locked.
        with self._query_errors(), self._connections.writing() as client:
            rows = client.query(SETTINGS_QUERY).result_rows
        found = {name: SettingState(value, low, high, bool(locked)) for name, value, low, high, locked in rows}
        return insert_settings(self._insert_deadline, found)

    def prepare_inserts(self) -> None:
        _ = self._settings

    def insert_lines(
        self, table: str, columns: Sequence[str], block: bytes, token: str, settings: InsertSettings | None = None
    ) -> None:
        self._insert(table, columns, block, "JSONEachRow", token, settings)

    def make_block(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
        blocks = self._blocks.get((table, *columns)) if rows else None
        if blocks is None:
            blocks = self._prepare_blocks(table, columns)
        with self._insert_errors():
            return blocks.make(rows) if rows else b""

    def _prepare_blocks(self, table: str, columns: Sequence[str]) -> RowBlocks:
        types = require_columns(self, table, columns)
        with self._insert_errors(), self._connections.writing() as client:
            self._blocks[(table, *columns)] = blocks = RowBlocks(client, table, types)
        return blocks

    def insert_block(
        self, table: str, columns: Sequence[str], block: bytes, token: str, settings: InsertSettings | None = None
    ) -> None:
        try:
            self._insert(table, columns, block, "Native", token, settings)
        except StoreMisconfigured:
            self._blocks.pop((table, *columns), None)  # somebody may have altered the table, or will
            raise

    def _insert(
        self, table: str, columns: Sequence[str], body: bytes, fmt: str, token: str, settings: InsertSettings | None
    ) -> None:
        carried = {**self._settings, **(settings or {}), "insert_deduplication_token": token}
        encoding = None if self._compression == "none" else self._compression
        sent = body if encoding is None else compressed(body, encoding)
        with self._insert_errors(), self._asking_anew(), self._connections.writing() as client:
            client.raw_insert(table, list(columns), iter((sent,)), settings=carried, fmt=fmt, compression=encoding)

    @contextlib.contextmanager
    def _asking_anew(self) -> Iterator[None]:
        """Forget what the engine has said of its settings when it refuses one: another version may answer by now."""
        try:
            yield
        except DriverError as error:
            if take_apart(error).code in SETTING_CODES:
                self.__dict__.pop("_settings", None)
            raise

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
            if is_short(statement):
                yield short_answer(client, statement, settings, line_format)
                return
            lines: io.RawIOBase = client.raw_stream(statement, settings=settings, fmt=line_format.value)
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
        if self._process.is_this:
            self._connections.close()

    @contextlib.contextmanager
    def _insert_errors(self) -> Iterator[None]:
        self._process.require(IN_A_CHILD)
        try:
            yield
        except DriverError as error:
            raise insert_error(self._dsn, take_apart(error)) from error
        except OSError as error:
            # Only the temporary file of an embedded insert raises one; the driver wraps those of the network.
            reason = f"cannot write a temporary file in {tempfile.gettempdir()}: {error.strerror}"
            raise StoreUnavailable(reason) from error

    @contextlib.contextmanager
    def _query_errors(self) -> Iterator[None]:
        self._process.require(IN_A_CHILD)
        try:
            yield
        except (DriverError, StreamError) as error:
            raise query_error(self._dsn, take_apart(error)) from error
