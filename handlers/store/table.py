"""A table that takes JSON lines, and batches of messages that become such."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from loguru import logger

from millstream.handlers.batching import Batch, BatchMessage, BatchResult
from millstream.router.callables import require_callable
from millstream.router.errors import ConfigurationError, HaltedError

from .batch_plan import BatchPlan
from .batch_rows import Line, Partition, make_rewrite, make_rows
from .described import require_columns
from .errors import StoreMisconfigured
from .identifiers import quote_identifier, quote_table
from .insert_plan import InsertPlan
from .object_rows import Encode, ObjectRows
from .protocols import InsertSettings, Store
from .raw_lines import RawLine
from .table_writer import TableWriter
from .views import find_fed_twice

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

    `writer` makes a `process_batch` of it. `store` is what another one needs:
    `MessageBatcher(config, lambda batch: table.store(batch, line))`.

    Any thread may use it; each batch, and each plan, belongs to one thread at a time.

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
        >>> batcher = MessageBatcher(BatchConfig(), table.writer())  # of payloads that are JSON
        >>> batcher.attach(Router(), "orders", "orders", InMemoryPubSub(), poison="drop")
        <Handler 'orders' on 'orders'>
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
        self._place = (database, table)
        self._settings = settings
        self._key = (id(store), self.full_name)
        """By which a batch knows the table: whoever else speaks of the same one goes on with its plan."""

    def store(
        self,
        batch: Sequence[BatchMessage],
        line: Line,
        *,
        partition: Partition | None = None,
        rewrite: Line | None = None,
    ) -> BatchResult:
        """Bring the messages of *batch* into the table, usually with one INSERT; blocks for as long as it takes.

        Call it again after an error, with the same `Batch`, as a batcher does: it goes on where it was. *line* is not asked
        again, and what may have been stored is sent again with the same bytes and token. Any other sequence gets a new token
        each time: what may have been stored of it is not known again.

        Args:
            batch: what a `process_batch` is given, whole.
            line: make the JSON of a message, of keys that are columns, such as `msgspec.json.encode(message.item)`; for several
                rows join their objects by newlines. A message for which it raises is refused with that error, but for an error
                that speaks of the program or its surroundings (`ConfigurationError`, `TransientError`, `OSError`, …).
            partition: tell partitions of the table apart by a number, such as the day, where a batch may touch more of them than
                `max_partitions_per_insert`; without it such a batch is halved until it fits.
            rewrite: make the canonical JSON of a message, tried once before the store's word on what *line* made counts.

        Returns:
            An outcome for each message: stored, refused by *line* or by the store, or left, as the router halts or closes, or as
            the partitions of the whole batch go.

        Raises:
            HaltedError: *line* returned no bytes, or *batch* is in the table with another *line*: no attempt mends that.
            StoreUnavailable, UnknownOutcome, StoreMisconfigured, ViewFailed, ShardRefused: as `InsertPlan.run`.
        """
        return self._run(batch, line, lambda whole: self._line_plan(whole, line, partition, rewrite))

    def writer(self, encode: Encode | None = None) -> TableWriter:
        """Return a `process_batch` that brings batches into the table as `store` does, with an outcome for each message.

        When its batcher starts it sees that they can go there, as `prepare` does.

        Args:
            encode: make the row of a message: a tuple of values in the order of `columns`, a dict of them by name, or an object
                with an attribute for each, such as a `msgspec.Struct`; for several rows a list of such. Each value is written by
                the driver as the type of its column, on an insert context that is prepared once. A message for which it raises,
                or of which a value does not fit, is refused by itself, as `store` refuses one whose line raises.
                `None`: the payload is the row, one JSON object of keys that are columns; one that is none is refused by itself.
        """
        if encode is None:
            raw = RawLine()
            return TableWriter(lambda batch: self.store(batch, raw), self.prepare)
        require_callable(f"table {self.full_name}: encode", encode, "the batch message")
        return TableWriter(
            lambda batch: self._run(batch, encode, lambda whole: self._object_plan(whole, encode)),
            self._prepare_objects,
        )

    def _prepare_objects(self) -> None:
        self.prepare()
        self._store.make_block(self.full_name, self.columns, [])

    def _run(
        self, batch: Sequence[BatchMessage], source: Line | Encode, make_plan: Callable[[Batch], BatchPlan]
    ) -> BatchResult:
        whole = batch if isinstance(batch, Batch) else Batch(batch)
        found: BatchPlan | None = whole.plans.get(self._key)
        if found is None:
            found = whole.plans[self._key] = make_plan(whole)
        elif not found.has_line(source, whole.attempts):
            text = "a batch goes into a table once, under its token: let one line make all rows of a message"
            raise HaltedError(f"{self.full_name}: {text}")
        whole.left -= found.left  # what another attempt has left: this one goes on with it
        result = found.run(whole, source)
        found.left = set(result.left)
        whole.refused.update(result.failures)
        whole.left.update(result.left)
        return result

    def inserts(self, batch: Batch) -> int:
        """Return how many INSERTs `store` has sent for *batch*, failed ones included."""
        found: BatchPlan | None = batch.plans.get(self._key)
        return 0 if found is None else found.plan.inserts

    def _line_plan(self, batch: Batch, line: Line, partition: Partition | None, rewrite: Line | None) -> BatchPlan:
        rows = make_rows(batch.rows, line, partition, self.max_partitions_per_insert)
        again = None if rewrite is None else make_rewrite(batch.rows, rows, rewrite)
        plan = self.plan(rows.units, batch.token, days=rows.days, rewrite=again)
        return BatchPlan(rows, plan, line, self.full_name)

    def _object_plan(self, batch: Batch, encode: Encode) -> BatchPlan:
        rows, plan = ObjectRows(encode, self.columns, self._make_block).plan(batch, self._send_block)
        return BatchPlan(rows, plan, encode, self.full_name)

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

    def prepare(self) -> None:
        """See that batches can go into the table, and warn where a repeated INSERT is not safe. For the start; blocks.

        Raises:
            QueryError: there is no such table, or no such database.
            ConfigurationError: the table has not all of the columns, or computes one of them.
            StoreMisconfigured: the user may not set what an INSERT must carry, or the table itself undoes that.
            StoreUnavailable: the store cannot answer now.
        """
        self._store.prepare_inserts()
        require_columns(self._store, self.full_name, self.columns)
        self.refuse_async_inserts()
        window, views_miss_repeats = self.deduplication_window(), self.views_miss_repeats()
        fed_twice = find_fed_twice(self._store, *self._place)
        name, log = self.full_name, logger.bind(table=self.full_name)
        if window == 0:
            log.warning(f"table {name} has no deduplication window: an INSERT whose answer is lost may be stored twice")
        if fed_twice:
            targets = ", ".join(f"{target} ({setting})" for target, setting in fed_twice.items())
            told = "a repeated INSERT adds its rows once more to what views fill; ALTER TABLE … MODIFY SETTING … = 1000 there"
            log.warning(f"{told}: {targets}")
        if views_miss_repeats:
            log.warning(f"table {name} passes no repeated INSERT on to its views: set {FEEDS_VIEWS}=1 in the profile")

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

    def _make_block(self, rows: Sequence[tuple[Any, ...]]) -> bytes:
        return self._store.make_block(self.full_name, self.columns, rows)

    def _send_block(self, block: bytes, token: str) -> None:
        self._store.insert_block(self.full_name, self.columns, block, token, self._settings)


def _is_replicated(create: str) -> bool:
    return re.search(r"\bENGINE = (?:Replicated|Shared)", create) is not None
