"""Aids for testing what writes into a store, without one: a store in memory whose failures are scripted."""

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from millstream.handlers.store.errors import DataError, QueryError
from millstream.handlers.store.identifiers import quote_table
from millstream.handlers.store.protocols import InsertSettings, LineFormat, Result
from millstream.router.errors import StateError

_ANY_JSON = msgspec.json.Decoder(msgspec.Raw)
_BRACE = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}]', re.DOTALL)
"""A brace, or a string, in which none counts."""
_BETWEEN = b" \t\r\n,"
"""What ClickHouse passes over between two objects."""


class RecordedInsert(msgspec.Struct, frozen=True):
    """One INSERT that a `FakeStore` was sent.

    Args:
        table: the full name, as it was given.
        columns: the column list.
        lines: the rows of the block, each as it was sent: an object, over however many lines it goes, as ClickHouse counts them.
        token: the deduplication token.
        settings: what was given beside the token.
        is_stored: whether its lines are in the table because of this INSERT.
        error: what the sender was told, None for success.
    """

    table: str
    columns: tuple[str, ...]
    lines: tuple[bytes, ...]
    token: str
    settings: dict[str, str | int]
    is_stored: bool
    error: BaseException | None


class _Fault(msgspec.Struct):
    error: BaseException
    is_after_storing: bool


class FakeStore:
    """A store in memory: it remembers each INSERT, honours tokens as ClickHouse does, and fails as told. Thread-safe.

    Args:
        deduplication_window: how many stored tokens each table remembers; 0 stores a repeated INSERT twice.
    """

    def __init__(self, *, deduplication_window: int = 1000) -> None:
        self.commands: list[str] = []
        """The statements given to `command`."""
        self.answers: dict[str, Result] = {}
        """What `query` and `stream` answer, by statement; any other is refused."""
        self.at_once = 1
        """INSERTs that it says to take side by side."""
        self._window = deduplication_window
        self._inserts: list[RecordedInsert] = []
        self._rows: dict[str, list[bytes]] = {}
        self._tokens: dict[str, deque[str]] = {}
        self._faults: deque[_Fault | None] = deque()
        self._is_refused: Callable[[bytes], bool] = lambda _line: False
        self._names_row = True
        self._is_closed = False
        self._arrived = threading.Condition()

    @property
    def inserts(self) -> list[RecordedInsert]:
        """Every INSERT so far, failed ones included, in the order of their ends."""
        with self._arrived:
            return list(self._inserts)

    def rows(self, table: str | None = None) -> list[bytes]:
        """Return the rows stored in a table, or in all tables, in the order of their storing."""
        with self._arrived:
            return [line for name, lines in self._rows.items() if table in {None, name} for line in lines]

    def fail_next(self, *errors: BaseException | None) -> None:
        """Raise these from the next INSERTs, one each, before anything is stored; None lets one pass."""
        self._script(errors, is_after_storing=False)

    def fail_next_after_storing(self, *errors: BaseException | None) -> None:
        """Store the next INSERTs and raise these all the same, one each, as when an answer is lost; None lets one pass."""
        self._script(errors, is_after_storing=True)

    def refuse_lines(self, is_refused: Callable[[bytes], bool], *, names_row: bool = True) -> None:
        """Refuse from now on every INSERT that holds a row for which the function is true, with a `DataError`.

        Args:
            names_row: whether the error says which row it was, as ClickHouse mostly does.
        """
        with self._arrived:
            self._is_refused = is_refused
            self._names_row = names_row

    def wait_for_inserts(self, count: int, timeout: float = 5.0) -> None:
        """Block until this many INSERTs have come, failed ones included.

        Args:
            timeout: seconds.

        Raises:
            TimeoutError: fewer came.
        """
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self._inserts) >= count, timeout):
                raise TimeoutError(f"{len(self._inserts)} INSERTs within {timeout} s, not {count}")

    def prepare_inserts(self) -> None:
        """Do nothing: whatever an INSERT carries is taken."""
        self._check_open()

    def insert_lines(
        self, table: str, columns: Sequence[str], block: bytes, token: str, settings: InsertSettings | None = None
    ) -> None:
        """Store the lines, or fail as scripted."""
        lines = tuple(_rows_of(block))
        with self._arrived:
            self._check_open()
            fault = self._faults.popleft() if self._faults else None
            error: BaseException | None = fault.error if fault is not None else self._refusal(lines)
            is_stored = (error is None or (fault is not None and fault.is_after_storing)) and self._store(
                table, lines, token
            )
            insert = RecordedInsert(table, tuple(columns), lines, token, dict(settings or {}), is_stored, error)
            self._inserts.append(insert)
            self._arrived.notify_all()
        if error is not None:
            raise error

    def make_block(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
        """Return the rows as lines of JSON, whatever a column takes.

        Raises:
            DataError: a value has no JSON.
        """
        self._check_open()
        try:
            return b"\n".join(msgspec.json.encode(dict(zip(columns, row, strict=True))) for row in rows)
        except (TypeError, ValueError) as error:
            raise DataError(f"refused as it has no JSON: {error}") from error

    def insert_block(
        self, table: str, columns: Sequence[str], block: bytes, token: str, settings: InsertSettings | None = None
    ) -> None:
        """Store the rows, or fail as scripted."""
        self.insert_lines(table, columns, block, token, settings)

    def add_table(self, database: str, table: str, columns: Sequence[str]) -> None:
        """Answer from now on what is asked at the start of a program about a table with these columns."""
        name = quote_table(database, table)
        window = f"SETTINGS non_replicated_deduplication_window = {self._window}"
        self.answers[f"DESCRIBE TABLE {name}"] = Result(("name", "type"), [(column, "String") for column in columns])
        self.answers[f"SHOW CREATE TABLE {name}"] = Result(("statement",), [(f"CREATE TABLE {name}\n{window}",)])

    def query(self, sql: str, *, read_only: bool = True) -> Result:
        """Return the scripted answer."""
        self._check_open()
        if sql not in self.answers:
            raise QueryError(f"no answer is scripted for {sql!r}")
        return self.answers[sql]

    def stream(self, sql: str, line_format: LineFormat, *, read_only: bool = True) -> Iterator[bytes]:
        """Yield the scripted answer, a line at a time; JSON by msgspec, else values joined by tabs or commas."""
        answer = self.query(sql, read_only=read_only)
        separator = "," if line_format is LineFormat.CSV else "\t"
        for row in answer.rows:
            if line_format is LineFormat.JSONL:
                yield msgspec.json.encode(dict(zip(answer.columns, row, strict=True))) + b"\n"
            else:
                yield separator.join(map(str, row)).encode() + b"\n"

    def command(self, sql: str) -> None:
        """Remember the statement."""
        self._check_open()
        self.commands.append(sql)

    def insert_count(self) -> int:
        """Return how many INSERTs have come, failed ones included."""
        with self._arrived:
            return len(self._inserts)

    def close(self) -> None:
        """Refuse every later call with a `StateError`."""
        self._is_closed = True

    def _script(self, errors: Sequence[BaseException | None], *, is_after_storing: bool) -> None:
        with self._arrived:
            self._faults.extend(None if error is None else _Fault(error, is_after_storing) for error in errors)

    def _refusal(self, lines: Sequence[bytes]) -> DataError | None:
        for row, line in enumerate(lines, start=1):
            if self._is_refused(line):
                return DataError("refused as scripted", code=469, row=row if self._names_row else None)
        return None

    def _store(self, table: str, lines: Sequence[bytes], token: str) -> bool:
        tokens = self._tokens.setdefault(table, deque(maxlen=self._window))
        if token in tokens:
            return False
        tokens.append(token)
        self._rows.setdefault(table, []).extend(lines)
        return True

    def _check_open(self) -> None:
        if self._is_closed:
            raise StateError("the store is closed")


def _rows_of(block: bytes) -> list[bytes]:
    lines = [line for line in block.split(b"\n") if line.strip()]
    return lines if all(map(_is_json, lines)) else list(_scan(block))


def _is_json(line: bytes) -> bool:
    try:
        _ANY_JSON.decode(line)
    except msgspec.DecodeError:
        return False
    return True


def _scan(block: bytes) -> Iterator[bytes]:
    """Yield the objects of *block*, and the lines that begin none."""
    while block := block.lstrip(_BETWEEN):
        end = _end_of_object(block) if block.startswith(b"{") else None
        row = block.partition(b"\n")[0] if end is None else block[:end]
        yield row
        block = block[len(row) :]


def _end_of_object(block: bytes) -> int | None:
    """Return where the object ends that *block* begins with; `None`: it does not end."""
    depth = 0
    for token in _BRACE.finditer(block):
        depth += {b"{": 1, b"}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return None
