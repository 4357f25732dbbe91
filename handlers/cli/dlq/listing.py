"""`millstream dlq list`: how many were set aside, and why."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence

import click
import msgspec

from ..output import OutputFormat, is_terminal, write_table
from .filters import Filter
from .grouping import Row, Tally
from .sources import Source


def count_records(sources: Sequence[Source], wanted: Filter) -> list[Row]:
    """Return the lines of the list, one source after the other; raises what reading them does."""
    rows: list[Row] = []
    for source in sources:
        tally = Tally(source.name)
        with contextlib.closing(source.read(lambda: False)) as chunks:
            for records in chunks:
                for record in filter(wanted.matches, records):
                    tally.add(record)
        rows += tally.rows()
    return rows


def write_rows(rows: Sequence[Row], output_format: OutputFormat) -> None:
    """Write the lines to stdout; where people read it, and have not said how, as a table for each source that fits a terminal.

    Raises what `write_table` does.
    """
    if output_format is not OutputFormat.AUTO or not is_terminal():
        write_table([msgspec.structs.asdict(row) for row in rows], output_format)
        return
    for source, group in itertools.groupby(rows, lambda row: row.source):
        total, *others = group
        click.echo(f"{source}: {head_of(total)}")
        write_table([_short(row) for row in others], OutputFormat.TABLE)


def head_of(total: Row) -> str:
    """Return what there is in all, in words."""
    span = f", {total.oldest} to {total.newest} UTC" if total.oldest else ""
    return f"{total.records:,} record{'' if total.records == 1 else 's'}, {total.replayed:,} replayed{span}"


def _short(row: Row) -> dict[str, str | int]:
    """Return what 80 characters hold of a line, with most of a reason."""
    newest = row.newest.partition(" ")[0]
    return {"by": row.by, "value": row.value, "records": row.records, "replayed": row.replayed, "newest": newest}
