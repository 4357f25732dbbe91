"""The driver, clickhouse-connect: nothing else imports it. Opens its clients and takes its errors apart.

What it does by itself, measured with 1.12 and chDB 26.9, and what is done about it:

- over HTTP it sends an INSERT again when the connection drops, unless the body is an iterator: so the body is one, and
  every attempt is one that `InsertPlan` knows of;
- over HTTP it would cut an error at 1,024 characters, where what matters most stands at its end (a failed view, the shards). 1.12
  does so only once that number is set; other versions are told not to, for the whole process, as one client has no such option;
- chDB takes an INSERT from a temporary file in the machine's TMPDIR; a full one is a store that is unavailable.

Opening warms everything up that an insert of lines needs (pandas is not needed; pyarrow is loaded by chDB itself).
"""

import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import clickhouse_connect
import urllib3.exceptions
from clickhouse_connect.driver.compression import available_compression, get_compressor
from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    Error,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.transform import NativeTransform

from .classification import Exchange
from .dsn import StoreDsn
from .failures import Failure
from .reasons import short_reason

# The driver warns about every broken connection, and without a handler Python prints that to stderr beside our error.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
# Of a value that it cannot write it logs a traceback with the value in it; the row is looked for by writing it many times.
logging.getLogger(NativeTransform.__module__).setLevel(logging.CRITICAL)

clickhouse_connect.common.set_setting("max_error_size", 0)

DriverError = ClickHouseError
"""What the driver raises, of its own and for what it knows of the network."""
StreamError = urllib3.exceptions.HTTPError
"""What comes through it while an answer is read."""

CHDB_OPTIONS = {"background_pool_size": 1, "background_merges_mutations_concurrency_ratio": 1}
"""One merge at a time, not four: over a million rows on 2 cores the process grew by 6-16% after the first fifth instead of
17-35%, and ended with as many parts."""
CONNECT_TIMEOUT = 10
"""Seconds to reach a server, as the driver has it."""

_DRIVER_OPTIONS = frozenset(
    {"verify", "ca_cert", "client_cert", "client_cert_key", "server_host_name", "http_proxy", "https_proxy", "compress"}
)
"""Names in an address that are the driver's, not ClickHouse settings."""

_NEVER_CONNECTED = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


class Answer(Protocol):
    """The rows of a query."""

    column_names: tuple[str, ...]

    @property
    def result_rows(self) -> Sequence[Sequence[Any]]:
        """One sequence of values a row."""


class Client(Protocol):
    """What is used of a client of the driver: over HTTP any thread may use it, of an embedded engine one at a time."""

    database: str | None
    """What unqualified table names mean."""

    def raw_insert(
        self,
        table: str,
        column_names: Sequence[str],
        insert_block: Any,
        settings: dict[str, Any],
        fmt: str,
        compression: str | None = None,
    ) -> object:
        """Insert a body as it is, said to be compressed that way; an iterator is sent once, whatever happens."""

    def create_insert_context(
        self, table: str, column_names: Sequence[str], *, column_type_names: Sequence[str]
    ) -> InsertContext:
        """Return what knows how to write values of these types; asks the engine for nothing."""

    def query(self, query: str, *, settings: dict[str, Any] | None = None) -> Answer:
        """Run a statement that answers rows."""

    def raw_query(self, query: str, *, settings: dict[str, Any], fmt: str | None = None) -> Any:
        """Run a statement and return its rows as the bytes of all lines; without a format as tab-separated ones."""

    def raw_stream(self, query: str, *, settings: dict[str, Any], fmt: str) -> Any:
        """Run a statement and return its rows as a raw file of lines."""

    def command(self, cmd: str, *, settings: dict[str, Any] | None = None) -> object:
        """Run a statement for its effect."""

    def close(self) -> None:
        """Give its connections, or the engine's handle, back."""


class Unwritable(Exception):
    """A value that the driver cannot write as the type of its column.

    Args:
        place: of the column.
    """

    def __init__(self, place: int) -> None:
        self.place = place
        super().__init__(place)


class ColumnWriter:
    """Writes rows of Python objects as blocks for one table, on an insert context that is prepared once. Any thread may use it.

    Not by the driver's `insert`: that would send garbage where a value cannot be written, and again by itself what broke off.

    Args:
        client: of the engine that has the table.
        table: the full name, quoted.
        types: by column, as the engine names them; what the driver reads of a column is the type given here.
    """

    def __init__(self, client: Client, table: str, types: Mapping[str, str]) -> None:
        self._names = list(types)
        self._prepared = client.create_insert_context(table, self._names, column_type_names=list(types.values()))

    def block(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """Return *rows*, at least one, as one block in the format Native.

        Raises:
            Unwritable: a value does not fit its column; of which row is not known.
            DriverError: no value of a column can be written.
        """
        failed: list[Exception] = []
        prepared = self._prepared
        context = InsertContext(
            prepared.table,
            prepared.column_names,
            prepared.column_types,
            rows,
            block_size=len(rows),
            server_tz=prepared.server_tz,
        )
        body = b"".join(NativeTransform.build_insert(context, failed.append))
        if failed:
            if isinstance(failed[0], NotSupportedError | MemoryError):
                raise failed[0]
            raise Unwritable(self._names.index(context.column_name or "")) from failed[0]
        return body[body.index(b"\n") + 1 :]  # the statement stands before it


def can_compress(compression: str) -> bool:
    """Return whether the packages for it are there: `lz4` and `zstd` come with the driver, from Python 3.14 on `zstd` alone."""
    return compression in available_compression


def compressed(body: bytes, compression: str) -> bytes:
    """Return *body*, compressed as the `Content-Encoding` of that name says."""
    return bytes(get_compressor(compression).compress_block(body))


def open_server(dsn: StoreDsn, timeout: float) -> Client:
    """Open a client of the server at *dsn*; blocks until it answered.

    Args:
        timeout: seconds of silence after which a request is given up.

    Raises:
        DriverError: it cannot be reached, or refuses.
        OSError, ValueError, LookupError: what answers there is no ClickHouse server.
    """
    settings = dict(dsn.settings)
    options: dict[str, Any] = {name: settings.pop(name) for name in _DRIVER_OPTIONS & settings.keys()}
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


def open_folder(dsn: StoreDsn, folder: Path) -> Client:
    """Open a handle to the engine of this process, which is started on *folder* if it does not run.

    Raises:
        DriverError: the engine refuses the folder.
        ImportError: chDB cannot be loaded.
    """
    return clickhouse_connect.get_client(
        interface="chdb", path=str(folder), settings=dict(dsn.settings), chdb_options=CHDB_OPTIONS
    )


def take_apart(error: Exception) -> Failure:
    """Return what a `DriverError` or a `StreamError` says, as plain values."""
    # Foreign exceptions carry a `.code` of their own meaning, so only the driver's own class is asked.
    code = error.code if isinstance(error, Error) else None
    cause = _network_cause(error)
    if cause is not None:
        exchange = Exchange.NEVER_SENT if isinstance(cause, _NEVER_CONNECTED) else Exchange.INTERRUPTED
        return Failure(str(error), exchange, code, _network_reason(cause))
    is_local = isinstance(error, ProgrammingError | NotSupportedError) and code is None
    return Failure(str(error), Exchange.REFUSED_BY_DRIVER if is_local else Exchange.ANSWERED, code)


def _network_cause(error: Exception) -> BaseException | None:
    cause = error.__cause__ if isinstance(error, OperationalError) else error
    if isinstance(cause, urllib3.exceptions.MaxRetryError) and cause.reason is not None:
        return cause.reason
    return cause if isinstance(cause, urllib3.exceptions.HTTPError) else None


def _network_reason(cause: BaseException) -> str:
    inner = cause.__cause__ or cause.__context__
    if isinstance(inner, OSError) and inner.strerror:
        return inner.strerror
    return short_reason(str(cause).rpartition(">: ")[2] or str(cause))
