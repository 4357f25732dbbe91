"""What the rest of Millstream asks of a store, and the values it answers with."""

import enum
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

Compression = Literal["none", "lz4", "zstd"]
"""How the rows of an INSERT to a server are packed."""
InsertSettings = Mapping[str, str | int]
"""Settings of the engine that an INSERT carries, by name."""


class Result(msgspec.Struct, frozen=True):
    """The answer to a query that fits in memory.

    Args:
        columns: the column names, in order; empty for a statement that answers nothing.
        rows: one tuple per row, values as Python objects; times of `DateTime64(3, 'UTC')` columns are naive UTC.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class LineFormat(enum.Enum):
    """How `Store.stream` writes a row as a line; the value is the engine's name for it. None has a header line."""

    TSV = "TabSeparated"
    CSV = "CSV"
    JSONL = "JSONEachRow"


class Store(Protocol):
    """A ClickHouse server or an embedded chDB folder. All methods block, and any thread may call any of them."""

    at_once: int
    """INSERTs that it takes side by side: of more, one waits for the other."""

    def prepare_inserts(self) -> None:
        """See that INSERTs can carry the settings that they must (`sent_settings`); blocks. `insert_lines` does it by itself.

        Raises:
            StoreMisconfigured: the user may not set one of them, and it has another value.
            StoreUnavailable: the store cannot answer now.
        """

    def insert_lines(
        self, table: str, columns: Sequence[str], block: bytes, token: str, settings: InsertSettings | None = None
    ) -> None:
        """Store a block of JSON objects (one per line) with one INSERT; on return its rows are stored.

        Args:
            table: the full name, quoted: what `quote_table` returns.
            columns: what may come from the lines, unquoted; other keys of a line are ignored.
            token: names exactly these rows in this order. A token that was stored before inserts nothing, silently.
            settings: added to, or in place of, the settings every insert carries.

        Raises:
            DataError: refused because of its rows; nothing of it is stored.
            ShapeError: refused because of its size or its number of partitions; nothing of it is stored.
            StoreUnavailable: not stored now; send it again later, with the same token.
            UnknownOutcome: may have been stored; send the same bytes with the same token until it is known.
            StoreMisconfigured: table, columns or rights are wrong.
            ViewFailed: the table has the rows, but a view raised an error; send it again, same bytes, same token.
            ShardRefused: other shards may have their rows; send it again, same bytes, same token.
        """

    def make_block(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
        """Return *rows* of Python objects as `insert_block` takes them, each value as the type of its column; stores nothing.

        The types are asked for once, and anew by a call without rows, which returns nothing.

        Args:
            table, columns: as of `insert_lines`.
            rows: a value for each column, in their order.

        Raises:
            DataError: a value does not fit its column; of which row is not known, but of a single one.
            StoreUnavailable: the store cannot be asked now.
            ConfigurationError: there is no such table or column, or no object can be written as its type.
        """

    def insert_block(
        self, table: str, columns: Sequence[str], block: bytes, token: str, settings: InsertSettings | None = None
    ) -> None:
        """Store what `make_block` has made for the same table and columns, with one INSERT; as `insert_lines` does its lines."""

    def query(self, sql: str, *, read_only: bool = True) -> Result:
        """Run one statement and return all its rows.

        Args:
            read_only: have the engine refuse everything that writes, also into a file.

        Raises:
            QueryError: the statement is wrong, or writes although it must not.
            StoreUnavailable: the store cannot answer now.
        """

    def stream(self, sql: str, line_format: LineFormat, *, read_only: bool = True) -> Iterator[bytes]:
        """Run one statement and yield its rows as encoded lines, in chunks of whole bytes that need no more memory for
        a million rows than for a thousand. Close the iterator to end it early. Raises what `query` raises.
        """

    def command(self, sql: str) -> None:
        """Run one statement for its effect (CREATE, DROP, ALTER, ...).

        Raises:
            QueryError: the engine refuses it.
            StoreUnavailable: the store cannot answer now.
        """

    def insert_count(self) -> int:
        """Return how many INSERT statements the engine has begun since it started, by its own count
        (`system.events`, `InsertQuery`): failed ones and, on a server, those of other clients included.
        """

    def close(self) -> None:
        """Give the store back; a chDB folder can then be opened by another process. May be called twice."""
