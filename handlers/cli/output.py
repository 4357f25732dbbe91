"""Writing the answer to a statement: rows as lines for programs, a table for people."""

from __future__ import annotations

import contextlib
import enum
import itertools
import sys
from collections.abc import Generator, Iterable, Iterator
from typing import IO, cast

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from millstream.handlers.store import LineFormat, Store
from millstream.router import ConfigurationError

MAX_TABLE_ROWS = 1_000
"""More than anybody reads on a screen; the first chunk of an answer holds them, so the rest is not even asked for."""
UNLIMITED_WIDTH = 100_000
"""Characters: in a file a table is as wide as its rows."""

_decode_row = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class OutputFormat(enum.Enum):
    """How `query` writes its answer."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"


_LINE_FORMATS = {
    OutputFormat.JSONL: LineFormat.JSONL,
    OutputFormat.CSV: LineFormat.CSV,
    OutputFormat.TSV: LineFormat.TSV,
}


def default_format() -> OutputFormat:
    """Return the format for where stdout goes: a table on a terminal, tsv anywhere else."""
    return OutputFormat.TABLE if sys.stdout is not None and sys.stdout.isatty() else OutputFormat.TSV


def write_answer(store: Store, sql: str, output_format: OutputFormat, *, read_only: bool) -> None:
    """Run a statement and write its rows to stdout, chunk by chunk as they come.

    Raises:
        QueryError: the statement is wrong, or writes although it must not.
        ConfigurationError: stdout cannot be written.
        BrokenPipeError: its reader went away.
    """
    line_format = _LINE_FORMATS.get(output_format, LineFormat.JSONL)
    # The protocol promises an iterator that can be closed, which the type has no word for.
    chunks = cast("Generator[bytes]", store.stream(sql, line_format, read_only=read_only))
    with contextlib.closing(chunks), _stdout_errors():
        if output_format is OutputFormat.TABLE:
            _write_table(chunks)
        else:
            _write_lines(chunks, _binary_stdout())


def _write_lines(chunks: Iterable[bytes], stdout: IO[bytes]) -> None:
    for chunk in chunks:
        stdout.write(chunk)
    stdout.flush()


def _binary_stdout() -> IO[bytes]:
    if sys.stdout is None:
        raise ConfigurationError("standard output is closed")
    return sys.stdout.buffer


@contextlib.contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigurationError(f"cannot write to standard output: {error.strerror}") from error


def _write_table(chunks: Iterable[bytes]) -> None:
    rows = [_cells(line) for line in itertools.islice(_lines(chunks), MAX_TABLE_ROWS + 1)]
    if not rows:
        click.echo("millstream: no rows", err=True)
        return
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = UNLIMITED_WIDTH
    # Captured, as rich by itself ends the process when the reader of stdout goes away.
    with console.capture() as rendered:
        console.print(_table(rows[:MAX_TABLE_ROWS]))
    click.echo(rendered.get(), nl=False)
    if len(rows) > MAX_TABLE_ROWS:
        click.echo(f"millstream: these are the first {MAX_TABLE_ROWS:,} rows; --format tsv writes all", err=True)


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _cells(line: bytes) -> dict[str, msgspec.Raw]:
    # The text of a column may be any bytes; JSON may not.
    return _decode_row(line.decode(errors="replace"))


def _table(rows: list[dict[str, msgspec.Raw]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for name in rows[0]:
        is_number = all(_is_number(bytes(row[name])) for row in rows)
        table.add_column(Text(_printable(name)), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_show(bytes(value))) for value in row.values()))
    return table


def _is_number(value: bytes) -> bool:
    return value[:1] in b"-0123456789" or value == b"null"


def _show(value: bytes) -> str:
    """Return one value for people: numbers digit for digit as the store wrote them, text without its quotes."""
    if value == b"null":
        return "NULL"
    return _printable(msgspec.json.decode(value, type=str) if value.startswith(b'"') else value.decode())


def _printable(text: str) -> str:
    # Stored text comes from anywhere; a terminal would obey the escape sequences in it.
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
