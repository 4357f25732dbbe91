"""Rows for people: a table, or a paragraph for each row with a column a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

Row = dict[str, msgspec.Raw]
"""A row of an answer: the JSON of each value by its column, in order."""

_decode_row = msgspec.json.Decoder(Row).decode


def read_rows(chunks: Iterable[bytes]) -> Iterator[Row]:
    """Yield the rows of JSON lines that come in chunks, wherever these are cut."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from map(_cells, lines)
    if rest:
        yield _cells(rest)


def _cells(line: bytes) -> Row:
    # The text of a column may be any bytes; JSON may not.
    return _decode_row(line.decode(errors="replace"))


def without_empty(rows: list[Row]) -> list[Row]:
    """Return *rows*, at least one, without the columns that are empty text in all of them."""
    names = [name for name in rows[0] if any(bytes(row[name]) != b'""' for row in rows)]
    return [{name: row[name] for name in names} for row in rows] if names else rows


def table_of(rows: list[Row]) -> Table:
    """Return *rows*, at least one, as a table with numbers on the right."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False)
    for name in rows[0]:
        is_number = all(_is_number(bytes(row[name])) for row in rows)
        table.add_column(Text(printable(name)), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(_text(bytes(value)))) for value in row.values()))
    return table


def width_of(table: Table, console: Console, limit: int) -> int:
    """Return how many characters wide *table* is when no cell is folded, up to *limit*."""
    return Measurement.get(console, console.options.update(max_width=limit), table).maximum


def vertical_of(number: int, row: Row) -> str:
    """Return a row as `clickhouse-client` shows it with `\\G`: its number, a column a line, a blank line.

    Further lines of a value begin where its first one does, so that none of them looks like a column.
    """
    head = f"Row {number}:"
    names = {name: f"{printable(name)}:" for name in row}
    width = max(cell_len(name) for name in names.values()) + 1
    lines = [head, "─" * len(head)]
    for name, value in row.items():
        first, *others = _text(bytes(value)).split("\n")
        lines.append(names[name] + " " * (width - cell_len(names[name])) + printable(first))
        lines.extend(" " * width + printable(other) for other in others)
    return "\n".join([*lines, "", ""])


def _is_number(value: bytes) -> bool:
    return value[:1] in b"-0123456789" or value == b"null"


def _text(value: bytes) -> str:
    """Return one value for people: numbers digit for digit as the store wrote them, text without its quotes."""
    if value == b"null":
        return "NULL"
    return msgspec.json.decode(value, type=str) if value.startswith(b'"') else value.decode()


def printable(text: str) -> str:
    """Return *text* with escapes in place of what is no character to look at."""
    # Stored text comes from anywhere; a terminal would obey the escape sequences in it.
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
