"""Which views are fed once more by an INSERT that their table has had."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .errors import QueryError, StoreUnavailable
from .protocols import Store

_DEFAULTS_QUERY = "SELECT value FROM {} WHERE name = '{}'"
_TABLE_QUERY = (
    "SELECT create_table_query, dependencies_database, dependencies_table FROM {} WHERE database = '{}' AND name = '{}'"
)
_TARGET = re.compile(r"CREATE MATERIALIZED VIEW (?:(?! ENGINE = ).)+? TO (`[^`\\]+`|\w+)\.(`[^`\\]+`|\w+)")
_ENGINE = re.compile(r"\bENGINE = (Replicated|Shared)?(\w*)MergeTree\b")
"""Engines that may have a window. Others pass rows on (Null, Buffer) or are no place for sums (Log, Memory)."""
_DISTRIBUTED = re.compile(r"\bENGINE = Distributed\('([^'\\]+)', '([^'\\]+)', '([^'\\]+)'")
_REPLACES = "Replacing"
"""How the engine begins that makes one row of a repeated one by itself. A collapsing one needs a row that cancels it."""


class _Place(NamedTuple):
    """A table or view, here or on the shards of a cluster."""

    database: str
    name: str
    cluster: str | None = None

    def __str__(self) -> str:
        where = "" if self.cluster is None else f" ON CLUSTER {self.cluster}"
        return f"{self.database}.{self.name}{where}"


_Made = tuple[str, list[_Place]]
"""The statement that made a table or view, and the views that read it; of each shard one."""


def find_fed_twice(store: Store, database: str, table: str) -> dict[str, str]:
    """Return the tables that views fill from *table* and that take a repeated INSERT for a new one. Blocks.

    Views of views count as well, and one that keeps its rows itself is called by its own name. Behind a Distributed table the
    tables of its shards are looked at, one replica of each, where the user may (`READ ON REMOTE`) and they answer. Other engines
    than MergeTree's family have no window to give them, and are left out.

    Returns:
        The setting that is each table's window, by the table, in order. Empty where the user may not see how tables are made.

    Raises:
        StoreUnavailable: the store cannot answer now.
    """
    try:
        return dict(sorted(_fed_twice(store, _Place(database, table)).items()))
    except QueryError:
        return {}


def _fed_twice(store: Store, table: _Place) -> dict[str, str]:
    start = (table, False)
    waiting, seen, found = [start], {start}, dict[str, str]()
    while waiting:
        place, is_filled = waiting.pop()
        for create, views in _made(store, place):
            setting = _missing_window(store, create, place.cluster) if is_filled else None
            if setting is not None:
                found[str(place)] = setting
            behind = [(target, True) for view in views for target in _targets_of(store, view)]
            if (shard := _DISTRIBUTED.search(create)) is not None:
                behind.append((_Place(shard[2], shard[3], shard[1]), is_filled))
            waiting += [each for each in dict.fromkeys(behind) if each not in seen]
            seen.update(behind)
    return found


def _targets_of(store: Store, view: _Place) -> list[_Place]:
    """Return what *view* fills: a table, or else the view itself."""
    targets = []
    for create, _ in _made(store, view):
        named = _TARGET.match(create)
        targets.append(view if named is None else _Place(named[1].strip("`"), named[2].strip("`"), view.cluster))
    return targets


def _made(store: Store, place: _Place) -> list[_Made]:
    """Return how *place* was made; nothing where nobody shows it, as by shards that are away: that is only less to be told."""
    sql = _TABLE_QUERY.format(_system("tables", place.cluster), _escape(place.database), _escape(place.name))
    return [
        (create, [_Place(*each, place.cluster) for each in zip(databases, names, strict=True)])
        for create, databases, names in _ask(store, sql, place.cluster)
    ]


def _ask(store: Store, sql: str, cluster: str | None) -> list[tuple[Any, ...]]:
    try:
        return store.query(sql).rows
    except (QueryError, StoreUnavailable):
        if cluster is None:
            raise
        return []


def _system(table: str, cluster: str | None) -> str:
    return f"system.{table}" if cluster is None else f"cluster('{_escape(cluster)}', system.{table})"


def _missing_window(store: Store, create: str, cluster: str | None) -> str | None:
    """Return the setting by which the table of *create* would know a repeated INSERT; `None`: it does, or needs not to.

    A table that nobody shows us is believed to.
    """
    create = create.partition(" AS SELECT")[0]
    engine = _ENGINE.search(create)
    if engine is None or engine[2] == _REPLACES:
        return None
    setting = f"{'non_' if engine[1] is None else ''}replicated_deduplication_window"
    own = re.search(rf"\b{setting} = (\d+)", create)
    if own is not None:
        windows = [own[1]]
    else:
        sql = _DEFAULTS_QUERY.format(_system("merge_tree_settings", cluster), setting)
        windows = [value for (value,) in _ask(store, sql, cluster)]
    return setting if any(int(window) == 0 for window in windows) else None


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("'", "\\'")
