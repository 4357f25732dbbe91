"""`millstream query`: one SQL statement, its answer on stdout."""

from __future__ import annotations

import sys

import click

from millstream.handlers.settings.sections import Settings
from millstream.handlers.store import QueryError
from millstream.router import ConfigurationError

from .options import global_options, open_configured_store
from .output import OutputFormat, write_answer

READONLY = 164
"""ClickHouse's code for what writes where only reading is allowed."""


@click.command()
@click.argument("sql")
@click.option(
    "--format",
    "output_format",
    type=click.Choice([each.value for each in OutputFormat]),
    default=OutputFormat.AUTO.value,
    show_default=True,
    help="auto is, on a terminal, a table, and vertical where that is wider than the terminal; anywhere else it is tsv. DESCRIBE"
    " is then without the columns that are empty. vertical"
    " has a column a line. tsv, csv and jsonl have no header line, and nothing else is on stdout.",
)
@click.option(
    "--write", is_flag=True, help="Allow statements that change something; without it the store refuses them."
)
@global_options
def query(settings: Settings, sql: str, output_format: str, write: bool) -> None:
    """Run one SQL statement and print its answer.

    SQL is the statement, or - to read it from stdin. Tables without a database are those of the settings' database, so

    \b
        millstream query "SELECT count() FROM events FINAL"

    counts the stored events: FINAL merges the rows of one event. SHOW, DESCRIBE, EXISTS and EXPLAIN are answered too. An answer
    of any size needs little memory; a table shows its first 1,000 rows.
    """
    statement = _read_stdin() if sql == "-" else sql
    with open_configured_store(settings, create=False) as store:
        try:
            write_answer(store, statement, OutputFormat(output_format), read_only=not write)
        except QueryError as error:
            if error.code == READONLY and not write:
                raise ConfigurationError(f"{error}; with --write it may change something") from error
            raise


def _read_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError("the SQL on standard input is not UTF-8") from error
