"""The table of events: there, with the columns of the code, and safe for an INSERT that is repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from millstream.handlers.events import EVENT_COLUMNS
from millstream.handlers.settings.sections import ClickHouseConfig
from millstream.handlers.store import FEEDS_VIEWS, ClickHouseTable, QueryError, Store, find_fed_twice
from millstream.handlers.store.described import MISSING_TABLE_CODES

from .findings import Finding, attempt_all, failure, ok, skipped, warning

UNKNOWN_DATABASE, ACCESS_DENIED = 81, 497
"""Error codes of ClickHouse."""
TYPES = {
    **dict.fromkeys(EVENT_COLUMNS, "String"),
    "timestamp": "DateTime64(3, 'UTC')",
    "ingested_at": "DateTime64(3, 'UTC')",
}
"""What the code writes into each column, and the version by which an event replaces itself."""
NULLABLE = frozenset({"customer_id", "source"})
NO_TABLE = "not looked at, as there is no such table"
WRAPPED = re.compile(r"(?:Nullable|LowCardinality)\((.*)\)")
"""What changes how a column is kept, not what it takes."""


class TableChecks:
    """Looks at the table of the settings.

    Args:
        store: open.
        config: which table.
    """

    def __init__(self, store: Store, config: ClickHouseConfig) -> None:
        self._store = store
        self._config = config
        self._table = ClickHouseTable(store, database=config.database, table=config.table, columns=EVENT_COLUMNS)
        self.subject = f"table {config.database}.{config.table}"
        """What a line calls it."""
        self.is_there = False
        """Whether there is such a table, whatever it is like."""
        self.name = self._table.full_name
        """Quoted for SQL."""

    def run(self) -> Iterator[Finding]:
        """Yield what is found; nothing beyond the first line where there is no such table."""
        try:
            types = self._types()
        except QueryError as error:
            if error.code not in MISSING_TABLE_CODES | {UNKNOWN_DATABASE}:
                raise
            yield failure(self.subject, "there is no such table: create it with: millstream migrate")
            yield skipped("window, views", NO_TABLE)
            return
        self.is_there = True
        yield from judge_columns(self.subject, self.name, types)
        checks = (self._engine, self._window, self._async_inserts, self._views)
        yield from attempt_all((self.subject, partial(self._allowed, check)) for check in checks)

    def has_views(self) -> bool:
        """Return whether the table feeds any views; those that nobody shows us do not count."""
        answer = self._store.query(f"SELECT length(dependencies_table) FROM system.tables WHERE {self._place}")  # noqa: S608 - identifiers
        return any(row[0] for row in answer.rows)

    @property
    def _place(self) -> str:
        # Both are identifiers, which the settings have checked.
        return f"database = '{self._config.database}' AND name = '{self._config.table}'"

    def _types(self) -> dict[str, tuple[str, str]]:
        answer = self._store.query(f"DESCRIBE TABLE {self.name}")
        rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
        return {str(row["name"]): (str(row["type"]), str(row.get("default_type", ""))) for row in rows}

    def _allowed(self, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
        """Yield what *check* finds; that we may not look is for the line of the rights to tell."""
        try:
            yield from check()
        except QueryError as error:
            if error.code != ACCESS_DENIED:
                raise
            yield skipped(self.subject, f"not looked at in full, for want of rights: {error}")

    def _engine(self) -> Iterator[Finding]:
        answer = self._store.query(f"SELECT engine FROM system.tables WHERE {self._place}")  # noqa: S608 - identifiers
        engine = str(answer.rows[0][0]) if answer.rows else ""
        if engine == "Distributed":
            text = "is Distributed: what is said of its window is true of no shard, and its views there are seen only with the"
            yield warning(self.subject, f"{text} right READ ON REMOTE; look there")
        elif engine and "Replacing" not in engine:
            text = f"is a {engine}, not a ReplacingMergeTree: an event that comes again is there twice for good"
            yield warning(self.subject, text)

    def _window(self) -> Iterator[Finding]:
        window = self._table.deduplication_window()
        if window:
            yield ok("deduplication window", f"{window:,} INSERTs")
            return
        told = "none: an INSERT whose answer is lost may be stored twice"
        mend = f"ALTER TABLE {self.name} MODIFY SETTING non_replicated_deduplication_window = 10000"
        yield warning("deduplication window", f"{told}; run {mend} (replicated_… where it is Replicated)")

    def _async_inserts(self) -> Iterator[Finding]:
        self._table.refuse_async_inserts()
        return iter(())

    def _views(self) -> Iterator[Finding]:
        fed_twice = find_fed_twice(self._store, self._config.database, self._config.table)
        for target, setting in fed_twice.items():
            text = f"counts a repeated INSERT twice: ALTER TABLE {target} MODIFY SETTING {setting} = 1000"
            yield warning(f"view target {target}", text)
        if self._table.views_miss_repeats():
            yield warning("views", f"get no repeated INSERT of this table: set {FEEDS_VIEWS} = 1 in the profile")


def judge_columns(subject: str, table: str, found: Mapping[str, tuple[str, str]]) -> Iterator[Finding]:
    """Yield what is wrong with the columns, or that nothing is.

    Args:
        subject: what a line calls the table.
        table: its name, quoted.
        found: type and kind of each column, by name.
    """
    missing = [column for column in EVENT_COLUMNS if column not in found]
    computed = [column for column in EVENT_COLUMNS if column in found and found[column][1] in {"ALIAS", "MATERIALIZED"}]
    others = {
        column: found[column][0]
        for column, wanted in TYPES.items()
        if column in found and _bare(found[column][0]) != wanted
    }
    if missing:
        added = ", ".join(f"ADD COLUMN {column} {_type_of(column)}" for column in missing)
        names = ", ".join(f"`{column}`" for column in missing)
        yield failure(subject, f"has no column {names}: ALTER TABLE {table} {added}")
    for column in computed:
        yield failure(subject, f"takes no value for `{column}`, as it is {found[column][1]}: make a plain column of it")
    for column, other in others.items():
        text = f"`{column}` is {other}, not {TYPES[column]}: it may keep other values than were sent, or refuse them"
        yield warning(subject, text)
    if not (missing or computed or others):
        yield ok(subject, f"has the {len(EVENT_COLUMNS)} columns that are written")


def _type_of(column: str) -> str:
    return f"Nullable({TYPES[column]})" if column in NULLABLE else TYPES[column]


def _bare(kind: str) -> str:
    while (inner := WRAPPED.fullmatch(kind)) is not None:
        kind = inner[1]
    return kind
