"""`millstream query`: one SQL statement, its answer on stdout."""

from __future__ import annotations

import re
import sys

import click

from millstream.handlers.settings.sections import Settings
from millstream.handlers.store import QueryError
from millstream.router import ConfigurationError

from .exits import exits
from .options import global_options, open_configured_store
from .output import OutputFormat, write_answer

READONLY = 164
"""ClickHouse's code for what writes where only reading is allowed."""
_BEGINS_WITH_COMMENT = re.compile(r"-[^\s=]*\s|-.*\n")
"""A space behind the first word, or a second line: no option has that, but for one in its value, behind a `=`."""


class QueryCommand(click.Command):
    """Takes SQL that begins with a comment for SQL, not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put a space before it: to SQL it means nothing."""
        return super().parse_args(ctx, [f" {each}" if _BEGINS_WITH_COMMENT.match(each) else each for each in args])


@exits(clean="answered", usage="wrong usage, or a store that is away or refuses us or the statement")
@click.command(cls=QueryCommand)
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

    SQL is the statement, or - to read it from stdin. Tables without a database are those of the settings' database. The example
    counts the stored events: FINAL merges the rows of one event. SHOW, DESCRIBE, EXISTS and EXPLAIN are answered too. An answer
    of any size needs little memory; a table shows its first 1,000 rows.

    \b
    Example:
      millstream query "SELECT count() FROM events FINAL"
    """
    statement = _read_stdin() if sql == "-" else _checked_text(sql)
    with open_configured_store(settings, create=False) as store:
        try:
            write_answer(store, statement, OutputFormat(output_format), read_only=not write)
        except QueryError as error:
            if error.code == READONLY and not write:
                raise ConfigurationError(f"{error}; with --write it may change something") from error
            raise


def _checked_text(sql: str) -> str:
    # Bytes of the command line that are no UTF-8 are surrogates here, which cannot be sent.
    try:
        sql.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError("the SQL is not UTF-8") from error
    return sql


def _read_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError("the SQL on standard input is not UTF-8") from error
