"""Which views are fed once more by an INSERT that their table has had."""

from __future__ import annotations

import re

from .errors import QueryError
from .protocols import Store

_DEFAULTS_QUERY = "SELECT name, value FROM system.merge_tree_settings WHERE name LIKE '%_window'"
_TABLE_QUERY = (
    "SELECT create_table_query, dependencies_database, dependencies_table FROM system.tables"
    " WHERE database = '{}' AND name = '{}'"
)
_TARGET = re.compile(r"CREATE MATERIALIZED VIEW (?:(?! ENGINE = ).)+? TO (`[^`\\]+`|\w+)\.(`[^`\\]+`|\w+)")
_ENGINE = re.compile(r"\bENGINE = (Replicated|Shared)?(\w*)MergeTree\b")
"""Engines that may have a window. Others pass rows on (Null, Buffer, Distributed) or are no place for sums (Log, Memory)."""
_REPLACES = "Replacing"
"""How the engine begins that makes one row of a repeated one by itself. A collapsing one needs a row that cancels it."""


def find_fed_twice(store: Store, database: str, table: str) -> dict[str, str]:
    """Return the tables that views fill from *table* and that take a repeated INSERT for a new one. Blocks.

    Views of views count as well, and one that keeps its rows itself is called by its own name. Tables of other engines than
    MergeTree's family have no window to give them, and are left out.

    Returns:
        The setting that is each table's window, by the table, in order. Empty where the user may not see how tables are made.

    Raises:
        StoreUnavailable: the store cannot answer now.
    """
    try:
        return dict(sorted(_fed_twice(store, database, table).items()))
    except QueryError:
        return {}


def _fed_twice(store: Store, database: str, table: str) -> dict[str, str]:
    waiting, seen, found = [(database, table)], {(database, table)}, dict[str, str]()
    while waiting:
        for view in _views_of(store, *waiting.pop()):
            create, place = _target_of(store, view)
            setting = _missing_window(store, create)
            if setting is not None:
                found[".".join(place)] = setting
            if place not in seen:
                seen.add(place)
                waiting.append(place)
    return found


def _views_of(store: Store, database: str, table: str) -> list[tuple[str, str]]:
    rows = store.query(_TABLE_QUERY.format(_escape(database), _escape(table))).rows
    return [place for _, databases, names in rows for place in zip(databases, names, strict=True)]


def _target_of(store: Store, view: tuple[str, str]) -> tuple[str, tuple[str, str]]:
    """Return the statement that made what *view* fills, and its name: a table, or else the view itself."""
    create = _create_statement(store, view)
    named = _TARGET.match(create)
    if named is None:
        return create.partition(" AS SELECT")[0], view
    target = (named[1].strip("`"), named[2].strip("`"))
    return _create_statement(store, target), target


def _create_statement(store: Store, place: tuple[str, str]) -> str:
    rows = store.query(_TABLE_QUERY.format(*map(_escape, place))).rows
    return str(rows[0][0]) if rows else ""


def _missing_window(store: Store, create: str) -> str | None:
    """Return the setting by which the table of *create* would know a repeated INSERT; `None`: it does, or needs not to.

    A table that nobody shows us is believed to.
    """
    engine = _ENGINE.search(create)
    if engine is None or engine[2] == _REPLACES:
        return None
    setting = f"{'non_' if engine[1] is None else ''}replicated_deduplication_window"
    own = re.search(rf"\b{setting} = (\d+)", create)
    window = own[1] if own is not None else dict(store.query(_DEFAULTS_QUERY).rows).get(setting, 0)
    return None if int(window) > 0 else setting


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")
