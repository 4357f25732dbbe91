"""What a table is like, as the engine tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from .identifiers import quote_table
from .protocols import Store
from .table_shape import IndexShape

_CONSTRAINT = re.compile(r"^    CONSTRAINT `?(\w+)`? CHECK (.*?),?$", re.MULTILINE)
_SETTINGS = re.compile(r"^SETTINGS (.*)$", re.MULTILINE)
_SETTING = re.compile(r"(\w+) = ('(?:[^'\\]|\\.)*'|[^\s,]+)")
_VERSION = re.compile(r"^\w+\((?:[^()]*, )?(\w+)\)(?= |$)")
"""The last argument of an engine: those of a replicated one begin with its path and its replica."""
_REPLICATED = re.compile(r"^(?:Replicated|Shared)(?=\w*MergeTree$)")


class FoundColumn(msgspec.Struct, frozen=True):
    """A column that is there.

    Args:
        type: as the engine writes it.
        kind: `DEFAULT`, or `MATERIALIZED` and the like; empty for one that has no expression.
        expression: of its default.
        is_in_partition_key: whether the partition of a row depends on it.
    """

    type: str
    kind: str = ""
    expression: str = ""
    is_in_partition_key: bool = False


class FoundTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table that is there.

    Args:
        engine: as the engine writes it, without `Replicated` or `Shared`.
        is_replicated: whether it had one of them.
        version: the last argument of the engine, where that is a name.
        columns, constraints, indexes: by name.
        partition_key, primary_key, sorting_key: without the brackets of a tuple.
        settings: by name: those of the table, and the server's default for each that it does not name.
        zone: the server's, that of times without one of their own.
    """

    engine: str
    is_replicated: bool = False
    version: str = ""
    columns: Mapping[str, FoundColumn]
    constraints: Mapping[str, str] = {}
    indexes: Mapping[str, IndexShape] = {}
    partition_key: str = ""
    primary_key: str = ""
    sorting_key: str = ""
    settings: Mapping[str, str] = {}
    zone: str = "UTC"


def has_database(store: Store, database: str) -> bool:
    """Return whether there is such a database; blocks.

    Raises:
        ConfigurationError: the name is no identifier.
        QueryError, StoreUnavailable: see `Store.query`.
    """
    quote_table(database, "any")
    return bool(store.query(f"SELECT count() FROM system.databases WHERE name = '{database}'").rows[0][0])  # noqa: S608 - checked


def look_at_table(store: Store, database: str, table: str) -> FoundTable | None:
    """Return what the table is like, `None` where there is none; blocks.

    Raises:
        ConfigurationError: a name is no identifier.
        QueryError, StoreUnavailable: see `Store.query`.
    """
    full_name = quote_table(database, table)
    keys = "engine, engine_full, partition_key, primary_key, sorting_key"
    found = store.query(f"SELECT {keys} FROM system.tables WHERE database = '{database}' AND name = '{table}'").rows  # noqa: S608 - checked
    if not found:
        return None
    engine, full, partition_key, primary_key, sorting_key = found[0]
    create = str(store.query(f"SHOW CREATE TABLE {full_name}").rows[0][0])
    version = _VERSION.match(full)
    place = f"WHERE database = '{database}' AND table = '{table}'"
    return FoundTable(
        engine=_REPLICATED.sub("", engine),
        is_replicated=_REPLICATED.match(engine) is not None,
        version="" if version is None else version[1],
        columns=_columns(store, place),
        constraints=dict(_CONSTRAINT.findall(create)),
        indexes=_indexes(store, place),
        partition_key=partition_key,
        primary_key=primary_key,
        sorting_key=sorting_key,
        settings=_defaults(store) | own_settings(create),
        zone=str(store.query("SELECT timezone()").rows[0][0]),
    )


def own_settings(create: str) -> dict[str, str]:
    """Return the settings that a statement as `SHOW CREATE TABLE` answers it gives a table."""
    found = _SETTINGS.search(create)
    return {} if found is None else {name: value.strip("'") for name, value in _SETTING.findall(found[1])}


def _columns(store: Store, place: str) -> dict[str, FoundColumn]:
    fields = "name, type, default_kind, default_expression, is_in_partition_key"
    rows = store.query(f"SELECT {fields} FROM system.columns {place} ORDER BY position").rows  # noqa: S608 - checked
    return {name: FoundColumn(kind, of, expression, bool(is_in)) for name, kind, of, expression, is_in in rows}


def _indexes(store: Store, place: str) -> dict[str, IndexShape]:
    rows = store.query(f"SELECT name, expr, type_full, granularity FROM system.data_skipping_indices {place}").rows  # noqa: S608 - checked
    return {name: IndexShape(expression, kind, int(granularity)) for name, expression, kind, granularity in rows}


def _defaults(store: Store) -> dict[str, str]:
    return {name: str(value) for name, value in store.query("SELECT name, value FROM system.merge_tree_settings").rows}
