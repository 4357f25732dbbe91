"""A table that takes JSON lines."""

import re
from collections.abc import Callable, Sequence

from millstream.router.errors import ConfigurationError

from .errors import StoreMisconfigured
from .identifiers import quote_identifier, quote_table
from .insert_plan import InsertPlan
from .protocols import InsertSettings, Store

FEEDS_VIEWS = "deduplicate_blocks_in_dependent_materialized_views"
"""1 where a repeated INSERT, dropped by a table, goes to its views all the same, which drop what they have."""
ASYNC_INSERT = "async_insert"
"""A setting of a table, too: either one makes an INSERT asynchronous."""
WINDOW = "replicated_deduplication_window"
"""Of a Replicated table; that of others has a `non_` before it."""
DECIDES_SINCE_26_2 = "deduplicate_insert"
"""A setting by which an engine shows that it is 26.2 or newer; to those `FEEDS_VIEWS` is sent."""
_REPEATS_QUERY = f"SELECT name, value FROM system.settings WHERE name IN ('{FEEDS_VIEWS}', '{DECIDES_SINCE_26_2}')"  # noqa: S608 - ours


class ClickHouseTable:
    """One table of a store: its name, what may be written into it, and how a batch gets there.

    Any thread may use it; each plan belongs to one thread at a time.

    Args:
        database: the table's database; it need not exist yet.
        columns: what may come from the lines; every other key of a line is ignored.
        max_partitions_per_insert: how many days one INSERT may touch: ClickHouse's `max_partitions_per_insert_block`
            is 100, and it refuses more.
        settings: sent with each INSERT beside what the store sends always.

    Raises:
        ConfigurationError: a name is not a plain identifier, or there are no columns.

    Example:
        >>> from millstream.handlers.testing import FakeStore
        >>> store = FakeStore()
        >>> table = ClickHouseTable(store, database="shop", table="orders", columns=["id", "amount"])
        >>> table.full_name
        '`shop`.`orders`'
    """

    def __init__(
        self,
        store: Store,
        *,
        database: str,
        table: str,
        columns: Sequence[str],
        max_partitions_per_insert: int = 100,
        settings: InsertSettings | None = None,
    ) -> None:
        if not columns:
            raise ConfigurationError(f"table {table!r} needs at least one column to insert")
        if max_partitions_per_insert < 1:
            raise ConfigurationError(f"max_partitions_per_insert={max_partitions_per_insert} must be at least 1")
        for column in columns:
            quote_identifier(column)
        self.full_name = quote_table(database, table)
        """`database`.`table`, quoted for SQL."""
        self.columns = tuple(columns)
        self.max_partitions_per_insert = max_partitions_per_insert
        self._store = store
        self._settings = settings

    def plan(
        self,
        units: Sequence[bytes],
        token: str,
        *,
        days: Sequence[int] | None = None,
        rewrite: Callable[[int], bytes] | None = None,
    ) -> InsertPlan:
        """Return the plan that brings a batch into the table; nothing is sent before its `run`.

        Args:
            units: what each message became: JSON lines joined by newlines, inserted together or not at all.
            token: drawn for this batch, never used for another; it names exactly these units in this order.
            days: the day number of each unit, the table's partition. Up to `max_partitions_per_insert` days make one
                INSERT under *token*; more are cut by day into as few INSERTs as possible.
            rewrite: return the canonical form of the unit at an index, for a unit the store may refuse as it came.

        Raises:
            ConfigurationError: *days* has another length than *units*.
        """
        if days is not None and len(days) != len(units):
            raise ConfigurationError(f"{len(units)} units with {len(days)} days")
        return InsertPlan(
            self._send, units, token, days=days, rewrite=rewrite, max_partitions=self.max_partitions_per_insert
        )

    def deduplication_window(self) -> int:
        """Return how many of its last INSERTs the table remembers; 0 when a repeated one would double its rows. Blocks.

        Raises:
            QueryError: there is no such table.
            StoreUnavailable: the store cannot answer now.
        """
        create = self._create_statement()
        window = self._merge_tree_setting(create, f"{'' if _is_replicated(create) else 'non_'}{WINDOW}")
        return int(window or 0)

    def refuse_async_inserts(self) -> None:
        """Raise where the table makes INSERTs asynchronous by a setting of its own, which wins over what an INSERT says. Blocks.

        Raises:
            StoreMisconfigured: it does: a repeated INSERT would not be known by its token.
            QueryError: there is no such table.
            StoreUnavailable: the store cannot answer now.
        """
        create = self._create_statement()
        if "MergeTree" in create and self._merge_tree_setting(create, ASYNC_INSERT) in {"1", "true"}:
            raise StoreMisconfigured(
                f"table {self.full_name} has {ASYNC_INSERT} = 1, which wins over what an INSERT says: run"
                f" ALTER TABLE {self.full_name} MODIFY SETTING {ASYNC_INSERT} = 0"
            )

    def views_miss_repeats(self) -> bool:
        """Return whether a repeated INSERT, dropped by the table, is passed on to none of its views either. Blocks.

        So do engines before 26.2 with a Replicated table, unless their profile says otherwise: a view that failed once, or whose
        INSERT lost its answer, lacks those rows.

        Raises:
            QueryError: there is no such table.
            StoreUnavailable: the store cannot answer now.
        """
        if not _is_replicated(self._create_statement()):
            return False
        settings = dict(self._store.query(_REPEATS_QUERY).rows)
        return DECIDES_SINCE_26_2 not in settings and settings.get(FEEDS_VIEWS) == "0"

    def _merge_tree_setting(self, create: str, name: str) -> str | None:
        """Return a setting of the table, or the engine's default for it; `None` where the engine does not know it."""
        own = re.search(rf"^SETTINGS (?:.*\W)?{name} = (\w+)", create, re.MULTILINE)
        if own is not None:
            return own[1]
        defaults = self._store.query(f"SELECT value FROM system.merge_tree_settings WHERE name = '{name}'").rows  # noqa: S608 - ours
        return str(defaults[0][0]) if defaults else None

    def _create_statement(self) -> str:
        return str(self._store.query(f"SHOW CREATE TABLE {self.full_name}").rows[0][0])

    def _send(self, block: bytes, token: str) -> None:
        self._store.insert_lines(self.full_name, self.columns, block, token, self._settings)


def _is_replicated(create: str) -> bool:
    return re.search(r"\bENGINE = (?:Replicated|Shared)", create) is not None
