"""What an older table lacks, as the statements that add it; and what else is different, which is only named.

No row is lost or hidden by any of it. Each statement changes what is written down about the table and no part of it, so all of
them take milliseconds; what would rewrite rows, or read them otherwise, is left to its owner. `IF NOT EXISTS` lets two runs meet.

One trap: the engine (26.7) takes another time zone for a column of the partition key and leaves the parts as they are. A query
by `toYYYYMMDD(timestamp)` then passes over parts that have its rows: they are there, and not found. Such a column is named only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from .table import ASYNC_INSERT, WINDOW
from .table_look import FoundColumn, FoundTable
from .table_shape import UTC_TIME, ColumnShape, TableShape

LEFT = "left as it is"
UTC_ZONES = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "UCT", "Etc/Zulu", "Zulu", "Etc/Universal", "Universal"})
"""Names of one zone; a time is the same in each."""
OLDER_DEFAULTS = frozenset({"", "now()", "now64()", "now64(3)", "now('UTC')"})
"""What columns had before they had ours; any other default is somebody's choice."""
VIEW = "View"
"""An engine that takes no INSERT."""
STORES_NOTHING = frozenset({"ALIAS", "MATERIALIZED", "EPHEMERAL"})
"""Kinds of columns that keep no value of an INSERT."""


class Change(msgspec.Struct, frozen=True):
    """A statement, and what it does in a few words."""

    text: str
    sql: str


class Drift(msgspec.Struct, frozen=True):
    """A difference that stays, in one line.

    Args:
        text: what is different, and what that means.
        is_fatal: nothing can be stored in such a table.
    """

    text: str
    is_fatal: bool = False


Difference = Change | Drift


def plan_table(found: FoundTable, wanted: TableShape, full_name: str, inserted: Collection[str]) -> list[Difference]:
    """Return what is different, in the order in which it is mended; nothing where the table is as it should be.

    Args:
        full_name: quoted.
        inserted: the columns that an INSERT names.
    """
    missing = [key for key in wanted.sorting_key.split(", ") if key not in found.columns]
    if missing:
        text = f"it has no column {', '.join(missing)}, and so is another kind of table: {LEFT}; name another one in"
        return [Drift(f"{text} [clickhouse] table", is_fatal=True)]
    plan = _Plan(found, wanted, f"ALTER TABLE {full_name} ", inserted)
    if not found.engine.endswith("MergeTree"):
        text = f"its engine is {found.engine}, not {wanted.engine}: {LEFT}, as are the tables that it may stand on"
        lacking = [column for column in inserted if column not in found.columns]
        lines = [Drift(f"it has no column {column}: {LEFT}", is_fatal=True) for column in lacking]
        return [Drift(text, is_fatal=found.engine == VIEW), *lines]
    return [
        *plan.missing_columns(),
        *plan.changed_columns(),
        *plan.constraints(),
        *plan.indexes(),
        *plan.safe_repeats(),
        *plan.structure(),
        *plan.settings(),
    ]


class _Plan:
    def __init__(self, found: FoundTable, wanted: TableShape, alter: str, inserted: Collection[str]) -> None:
        self._found = found
        self._wanted = wanted
        self._alter = alter
        self._inserted = inserted

    def _change(self, text: str, action: str) -> Change:
        return Change(text, f"{self._alter}{action}")

    def missing_columns(self) -> Iterator[Change]:
        for column in self._wanted.columns:
            if column.name not in self._found.columns:
                # An expression is not written into older parts, but evaluated by each query until they merge.
                until = ", in older rows the time of the query until they merge" if "now64(" in column.default else ""
                yield self._change(f"column {column.name} added{until}", f"ADD COLUMN IF NOT EXISTS {column.sql}")

    def changed_columns(self) -> Iterator[Difference]:
        for column in self._wanted.columns:
            have = self._found.columns.get(column.name)
            if have is None:
                continue
            if have.kind in STORES_NOTHING:
                is_fatal = column.name in self._inserted
                yield Drift(f"column {column.name} is {have.kind} and keeps no value of an event: {LEFT}", is_fatal)
            else:
                yield from self._compare(column, have)

    def _compare(self, column: ColumnShape, have: FoundColumn) -> Iterator[Difference]:
        is_mended = have.type != column.type and self._can_be_utc(column, have)
        if have.type != column.type and not is_mended:
            yield Drift(f"column {column.name} is {have.type}, not {column.type}: {LEFT}{self._why(column, have)}")
        is_older = bool(column.default) and have.expression in OLDER_DEFAULTS
        if is_mended:
            default = column.default_sql if is_older else ""
            yield self._change(
                f"column {column.name} shown in UTC", f"MODIFY COLUMN {column.name} {column.type}{default}"
            )
        elif have.expression != column.default and is_older:
            yield self._change(
                f"default of column {column.name} set", f"MODIFY COLUMN {column.name}{column.default_sql}"
            )
        if have.expression != column.default and not is_older:
            theirs, ours = have.expression or "none", column.default or "none"
            yield Drift(f"default of column {column.name} is {theirs}, not {ours}: {LEFT}")

    def _can_be_utc(self, column: ColumnShape, have: FoundColumn) -> bool:
        """Tell whether no more than the zone is different, and the partition of no row depends on it."""
        ours, theirs = UTC_TIME.fullmatch(column.type), UTC_TIME.fullmatch(have.type)
        if ours is None or theirs is None or ours[1] != theirs[1]:
            return False
        return not have.is_in_partition_key or (theirs[2] or self._found.zone) in UTC_ZONES

    def _why(self, column: ColumnShape, have: FoundColumn) -> str:
        if not have.is_in_partition_key or not UTC_TIME.fullmatch(have.type):
            return ""
        return ", as queries by its day would miss older rows then; copy them into a new table with INSERT … SELECT"

    def constraints(self) -> Iterator[Difference]:
        found = self._found.constraints
        for name, expression in self._wanted.constraints.items():
            if expression in found.values():
                continue
            if name in found:
                yield Drift(f"constraint {name} is CHECK {found[name]}, not {expression}: {LEFT}")
                continue
            yield self._change(
                f"constraint {name} added, for new rows",
                f"ADD CONSTRAINT IF NOT EXISTS {name} CHECK {expression}",
            )
        for name, expression in found.items():
            if expression not in self._wanted.constraints.values() and name not in self._wanted.constraints:
                yield Drift(f"constraint {name} CHECK {expression} is none of ours: {LEFT}, and refuses what breaks it")

    def indexes(self) -> Iterator[Difference]:
        found = self._found.indexes
        for name, index in self._wanted.indexes.items():
            if name in found and found[name] != index:
                yield Drift(f"index {name} is {found[name].sql}, not {index.sql}: {LEFT}")
            elif index not in found.values():
                yield self._change(
                    f"index {name} added, for new parts; older ones have it once they merge",
                    f"ADD INDEX IF NOT EXISTS {name} {index.sql}",
                )

    def safe_repeats(self) -> Iterator[Change]:
        """Yield what a repeated INSERT needs to be known by its token."""
        if self._found.settings.get(ASYNC_INSERT) in {"1", "true"}:
            yield self._change(
                "asynchronous INSERTs turned off, as a repeated one is not known by its token there",
                f"MODIFY SETTING {ASYNC_INSERT} = 0",
            )
        name = WINDOW if self._found.is_replicated else f"non_{WINDOW}"
        size, ours = int(self._found.settings.get(name, 0)), self._wanted.deduplication_window
        if size < ours:
            yield self._change(f"deduplication window raised from {size}", f"MODIFY SETTING {name} = {ours}")

    def structure(self) -> Iterator[Drift]:
        """Yield what an engine cannot change about a table."""
        found, wanted = self._found, self._wanted
        if (found.engine, found.version) != (wanted.engine, wanted.version):
            theirs, ours = (f"{each.engine}({each.version})".removesuffix("()") for each in (found, wanted))
            yield Drift(f"its engine is {theirs}, not {ours}: {LEFT}, and an event that comes twice may stay twice")
        for what in ("partition_key", "primary_key", "sorting_key"):
            theirs, ours = getattr(found, what), getattr(wanted, what)
            if theirs != ours:
                yield Drift(f"its {what.replace('_', ' ')} is {theirs or 'none'}, not {ours}: {LEFT}")

    def settings(self) -> Iterator[Drift]:
        found = self._found.settings
        others = [
            f"{name} = {found[name]}, not {value}"
            for name, value in self._wanted.settings.items()
            if found.get(name, str(value)) != str(value)
        ]
        if others:
            yield Drift(f"its settings: {'; '.join(others)}: left as they are")
