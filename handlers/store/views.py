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
_KEEPS_NO_ROWS = "Null"
_REPLACES = ("Replacing", "Collapsing", "VersionedCollapsing")
"""How engines begin that make one row of a repeated one by themselves."""


def find_fed_twice(store: Store, database: str, table: str) -> list[str]:
    """Return the tables that views fill from *table* and that take a repeated INSERT for a new one, in order. Blocks.

    Views of views count as well, and one that keeps its rows itself is called by its own name. Empty where the user may not see
    how tables are made.

    Raises:
        StoreUnavailable: the store cannot answer now.
    """
    try:
        return sorted(_fed_twice(store, database, table))
    except QueryError:
        return []


def _fed_twice(store: Store, database: str, table: str) -> set[str]:
    waiting, seen, found = [(database, table)], {(database, table)}, set[str]()
    while waiting:
        for view in _views_of(store, *waiting.pop()):
            create, place = _target_of(store, view)
            if not _knows_repeats(store, create):
                found.add(".".join(place))
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


def _knows_repeats(store: Store, create: str) -> bool:
    """Return whether a repeated INSERT leaves the table of *create* as it is; one that nobody shows us is believed to."""
    engine = re.search(r"\bENGINE = (Replicated|Shared)?(\w+)", create)
    if engine is None or engine[2] == _KEEPS_NO_ROWS or engine[2].startswith(_REPLACES):
        return True
    setting = f"{'non_' if engine[1] is None else ''}replicated_deduplication_window"
    own = re.search(rf"\b{setting} = (\d+)", create)
    window = own[1] if own is not None else dict(store.query(_DEFAULTS_QUERY).rows).get(setting, 0)
    return int(window) > 0


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")
