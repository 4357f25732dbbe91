"""`millstream migrate`: the database and the table that events are kept in."""

from __future__ import annotations

import click

from millstream.handlers.events import create_events_table
from millstream.handlers.settings.sections import Settings
from millstream.handlers.store import Store

from .options import global_options, open_configured_store

ANY_DATABASE = "system"
"""There before the database of the settings is."""


@click.command()
@global_options
def migrate(settings: Settings) -> None:
    """Create the database and the table of events where they are missing.

    Safe to repeat: what exists is left as it is. A chDB folder is made if there is none.
    """
    clickhouse = settings.clickhouse
    with open_configured_store(settings, database=ANY_DATABASE) as store:
        before = _existing(store, clickhouse.database, clickhouse.table)
        for statement in create_events_table(clickhouse.database, clickhouse.table):
            store.command(statement)
    click.echo(f"store {clickhouse.address.redacted}")
    names = (f"database {clickhouse.database}", f"table {clickhouse.database}.{clickhouse.table}")
    for name, was_there in zip(names, before, strict=True):
        click.echo(f"{name}: {'was there' if was_there else 'created'}")


def _existing(store: Store, database: str, table: str) -> tuple[bool, bool]:
    """Return whether the database and the table exist; the names are identifiers, which the settings have checked."""
    databases = f"SELECT count() FROM system.databases WHERE name = '{database}'"  # noqa: S608 - checked, as said
    tables = f"SELECT count() FROM system.tables WHERE database = '{database}' AND name = '{table}'"  # noqa: S608 - checked, as said
    return bool(store.query(databases).rows[0][0]), bool(store.query(tables).rows[0][0])
