"""What the engine says of a table before anything goes into it: that it is there, and that its columns take values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from millstream.router.errors import ConfigurationError

from .errors import QueryError
from .protocols import Store

MISSING_TABLE_CODES = frozenset({60, 390})
"""UNKNOWN_TABLE, and CANNOT_GET_CREATE_TABLE_QUERY, as the embedded engine calls it."""
COMPUTED = frozenset({"ALIAS", "MATERIALIZED"})
"""Kinds of columns that no INSERT may name."""
MAX_NAMED = 20
"""Columns that an error lists: those of most tables, and still a line that can be read."""
_HINT = "Maybe you meant "


def require_columns(store: Store, full_name: str, columns: Sequence[str]) -> dict[str, str]:
    """Return the types of *columns*, by their name, where the table *full_name* has all of them, and each takes a value; blocks.

    Raises:
        ConfigurationError: one is missing, or is computed by the table.
        QueryError: there is no such table, or no such database.
        StoreUnavailable: the store cannot answer now.
    """
    described = _describe(store, full_name)
    kinds = {name: default for name, (_, default) in described.items()}
    missing = [column for column in columns if column not in kinds]
    if missing:
        named = ", ".join(list(kinds)[:MAX_NAMED]) + (", …" if len(kinds) > MAX_NAMED else "")
        raise ConfigurationError(f"table {full_name} has no column {_listed(missing)}; it has {named}")
    computed = [column for column in columns if kinds[column] in COMPUTED]
    if computed:
        raise ConfigurationError(
            f"table {full_name} takes no value for {_listed(computed)}, as it is {kinds[computed[0]]}: leave it out of columns"
        )
    return {column: described[column][0] for column in columns}


def _describe(store: Store, full_name: str) -> Mapping[str, tuple[str, str]]:
    """Return the type of each column, by its name, and its kind: empty for a plain one, such as `DEFAULT` for others."""
    try:
        answer = store.query(f"DESCRIBE TABLE {full_name}")
    except QueryError as error:
        if error.code not in MISSING_TABLE_CODES:
            raise
        _, found, hint = error.reason.partition(_HINT)
        text = f"table {full_name} does not exist: create it first"
        raise QueryError(f"{text} ({_HINT[0].lower()}{_HINT[1:]}{hint})" if found else text, code=error.code) from error
    # By name: a profile with `describe_compact_output` has the engine tell names and types alone.
    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    return {str(row["name"]): (str(row.get("type", "")), str(row.get("default_type", ""))) for row in rows}


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)
