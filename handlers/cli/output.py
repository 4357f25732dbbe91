"""Writing the answer to a statement: rows as lines for programs, a table or a column a line for people."""

from __future__ import annotations

import contextlib
import csv
import enum
import io
import itertools
import re
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import IO, TextIO, cast

import click
import msgspec
from rich.console import Console

from millstream.handlers.store import LineFormat, Store
from millstream.router import ConfigurationError

from .drawing import Row, read_rows, table_of, vertical_of, width_of, without_empty

MAX_TABLE_ROWS = 1_000
"""More than anybody reads on a screen; the first chunk of an answer holds them, so the rest is not even asked for."""
_DESCRIBES = re.compile(r"\s*desc(ribe)?\b", re.IGNORECASE)
"""Most of what it answers are columns for defaults, codecs and comments that hardly any table has."""
UNLIMITED_WIDTH = 100_000
"""Characters: in a file a table is as wide as its rows."""


class OutputFormat(enum.Enum):
    """How `query` writes its answer."""

    AUTO = "auto"
    TABLE = "table"
    VERTICAL = "vertical"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"


_LINE_FORMATS = {
    OutputFormat.JSONL: LineFormat.JSONL,
    OutputFormat.CSV: LineFormat.CSV,
    OutputFormat.TSV: LineFormat.TSV,
}


def write_answer(store: Store, sql: str, output_format: OutputFormat, *, read_only: bool) -> None:
    """Run a statement and write its rows to stdout, chunk by chunk as they come.

    Args:
        store: runs it.
        sql: the statement.
        output_format: `AUTO` is tsv where stdout is no terminal, else a table, and vertical where that is too wide for it.
        read_only: have the engine refuse what writes.

    Raises:
        QueryError: the statement is wrong, or writes although it must not.
        ConfigurationError: stdout cannot be written.
        BrokenPipeError: its reader went away.
    """
    if output_format is OutputFormat.AUTO and not is_terminal():
        output_format = OutputFormat.TSV
    line_format = _LINE_FORMATS.get(output_format, LineFormat.JSONL)
    # The protocol promises an iterator that can be closed, which the type has no word for.
    chunks = cast("Generator[bytes]", store.stream(sql, line_format, read_only=read_only))
    with contextlib.closing(chunks), _stdout_errors():
        if output_format in _LINE_FORMATS:
            _write_lines(chunks, _binary_stdout())
        else:
            drops_empty = output_format is OutputFormat.AUTO and _DESCRIBES.match(sql) is not None
            _write_rows(read_rows(chunks), output_format, drops_empty=drops_empty)


def write_table(rows: Sequence[Mapping[str, str | int]], output_format: OutputFormat) -> None:
    """Write *rows* of our own to stdout as `write_answer` does; raises what that does for stdout."""
    if output_format is OutputFormat.AUTO and not is_terminal():
        output_format = OutputFormat.TSV
    with _stdout_errors():
        if output_format in _LINE_FORMATS:
            _write_lines([lines_of(rows, output_format)], _binary_stdout())
        else:
            lines = lines_of(rows, OutputFormat.JSONL)
            _write_rows(read_rows([lines] if lines else []), output_format, drops_empty=False)


def lines_of(rows: Sequence[Mapping[str, str | int]], output_format: OutputFormat) -> bytes:
    """Return *rows* as lines of JSON, CSV or TSV, as ClickHouse writes them."""
    if output_format is OutputFormat.JSONL:
        return msgspec.json.Encoder().encode_lines(rows)
    if output_format is OutputFormat.CSV:
        text = io.StringIO()
        csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(row.values() for row in rows)
        return text.getvalue().encode()
    return "".join("\t".join(_tsv(str(value)) for value in row.values()) + "\n" for row in rows).encode()


def _tsv(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _write_lines(chunks: Iterable[bytes], stdout: IO[bytes]) -> None:
    for chunk in chunks:
        stdout.write(chunk)
    stdout.flush()


def is_terminal() -> bool:
    """Return whether people read what is written to stdout."""
    return sys.stdout is not None and sys.stdout.isatty()


def _binary_stdout() -> IO[bytes]:
    return _stdout().buffer


def _stdout() -> TextIO:
    if sys.stdout is None:
        raise ConfigurationError("standard output is closed")
    return sys.stdout


@contextlib.contextmanager
def _stdout_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ConfigurationError(f"cannot write to standard output: {error.strerror}") from error


def _write_rows(rows: Iterator[Row], output_format: OutputFormat, *, drops_empty: bool) -> None:
    """Write rows for people: all of them where each is a paragraph, else the first ones as a table."""
    first = next(rows, None)
    if first is None:
        click.echo("millstream: no rows", err=True)
        return
    rows = itertools.chain([first], rows)
    if output_format is OutputFormat.VERTICAL:
        _write_vertical(rows)
        return
    some = list(itertools.islice(rows, MAX_TABLE_ROWS + 1))
    shown = without_empty(some[:MAX_TABLE_ROWS]) if drops_empty else some[:MAX_TABLE_ROWS]
    _write_table(shown, is_vertical_allowed=output_format is OutputFormat.AUTO)
    if len(some) > MAX_TABLE_ROWS:
        click.echo(f"millstream: these are the first {MAX_TABLE_ROWS:,} rows; --format tsv writes all", err=True)


def _write_table(rows: list[Row], *, is_vertical_allowed: bool) -> None:
    console = Console(markup=False, highlight=False)
    table = table_of(rows)
    if is_vertical_allowed and width_of(table, console, UNLIMITED_WIDTH) > console.width:
        _write_vertical(rows)
        return
    if not console.is_terminal:
        console.width = UNLIMITED_WIDTH
    # Captured, as rich by itself ends the process when the reader of stdout goes away.
    with console.capture() as rendered:
        console.print(table)
    click.echo(rendered.get(), nl=False)


def _write_vertical(rows: Iterable[Row]) -> None:
    stdout = _stdout()
    for number, row in enumerate(rows, 1):
        stdout.write(vertical_of(number, row))
    stdout.flush()
