"""The steps of `millstream migrate` that bring the database and the table of events about."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from millstream.handlers.events.schema import EVENT_COLUMNS, EVENTS_TABLE, create_database
from millstream.handlers.settings.sections import ClickHouseConfig
from millstream.handlers.store import QueryError, Store, quote_table
from millstream.handlers.store.table_look import has_database, look_at_table
from millstream.handlers.store.table_plan import Change, plan_table

from .migrate_steps import Step

INDENT = "    "
OF_A_NEW_FOLDER = frozenset({"default", "system"})
"""Databases that chDB makes with a folder."""


def table_steps(store: Store | None, clickhouse: ClickHouseConfig) -> Iterator[Step]:
    """Look at the store, then yield what is to be done there; blocks.

    Args:
        store: `None`: a folder that is not there yet.
        clickhouse: names the database and the table.

    Raises:
        QueryError, StoreUnavailable: see `Store.query`; and the steps as `Store.command`.
    """
    database, table = clickhouse.database, clickhouse.table
    full_name, called = quote_table(database, table), f"table {database}.{table}"
    is_there = database in OF_A_NEW_FOLDER if store is None else has_database(store, database)
    found = look_at_table(store, database, table) if store is not None and is_there else None
    yield _database(store, database, is_there=is_there)
    if found is None:
        create = EVENTS_TABLE.create(full_name)
        yield _step(store, f"{called}: created", create, f"\n{textwrap.indent(create, INDENT)}")
        return
    yield Step(f"{called}: was there")
    for each in plan_table(found, EVENTS_TABLE, full_name, EVENT_COLUMNS):
        if isinstance(each, Change):
            yield _step(store, f"{called}: {each.text}", each.sql, f": {each.sql}")
        else:
            yield Step(f"{called}: {each.text}", is_fatal=each.is_fatal)


def _database(store: Store | None, database: str, *, is_there: bool) -> Step:
    if is_there:
        return Step(f"database {database}: was there")
    create = create_database(database)
    return _step(store, f"database {database}: created", create, f": {create}")


def _step(store: Store | None, told: str, sql: str, shown: str) -> Step:
    def do() -> None:
        if store is None:
            return
        try:
            store.command(sql)
        except QueryError as error:
            raise QueryError(f"not done: {told}: {error.reason}", code=error.code) from error

    return Step(f"{told}{shown}", do)
