"""Events in the store: the table, and what one batch becomes in it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Collection

from millstream.handlers.batching import Batch, BatchResult
from millstream.handlers.store import (
    ClickHouseTable,
    Compression,
    QueryError,
    Store,
    StoreDsn,
    open_store,
)
from millstream.router import ConfigurationError

from .billing import BillingConfig
from .event_rows import EventDay, EventLine
from .probe import is_probe
from .schema import EVENT_COLUMNS, create_events_table

_DAY = EventDay()


class EventRepository:
    """Writes events, and their billing rows where billing is configured, into one table.

    The bytes of a validated event go into the store as they came; Python never encodes them again.

    Args:
        store: an open store.
        database, table: where events go.
        billing: adds one billing row per event, in the same INSERT; `None` adds none. A probe of `doctor` gets none.

    Example:
        >>> from millstream.handlers.testing import FakeStore
        >>> repository = EventRepository(FakeStore(), database="usage")  # or `EventRepository.open("chdb://millstream-data")`
        >>> repository.create_table()
        >>> repository.store.commands[0]
        'CREATE DATABASE IF NOT EXISTS `usage`'
    """

    def __init__(
        self, store: Store, *, database: str = "default", table: str = "events", billing: BillingConfig | None = None
    ) -> None:
        self.store = store
        self.billing = billing
        self.database = database
        self.table_name = table
        self._line, self._rewrite = EventLine(billing), EventLine(billing, is_canonical=True)
        self._table = ClickHouseTable(store, database=database, table=table, columns=EVENT_COLUMNS)

    @classmethod
    def open(
        cls,
        dsn: StoreDsn | str,
        *,
        database: str | None = None,
        table: str = "events",
        billing: BillingConfig | None = None,
        insert_deadline: float = 60.0,
        compression: Compression = "none",
    ) -> EventRepository:
        """Open the store at *dsn* and return its repository, ready to be written to.

        In an embedded store the table is made where it is missing; on a server that is what `millstream migrate` is for.

        Args:
            dsn: see `open_store`.
            database, table: where events go; without *database* that of *dsn*, else `default`.
            billing: as of the constructor.
            insert_deadline: seconds to wait for the answer to one INSERT.
            compression: how the rows of an INSERT are packed, as of `open_store`.

        Raises:
            ConfigurationError: the store cannot be opened, or has no such table.
            StoreUnavailable: nothing answers at *dsn*.
        """
        address = StoreDsn.parse(dsn) if isinstance(dsn, str) else dsn
        name = database or address.database or "default"
        with contextlib.ExitStack() as stack:
            opened = open_store(address, insert_deadline=insert_deadline, compression=compression)
            store = stack.enter_context(contextlib.closing(opened))
            repository = cls(store, database=name, table=table, billing=billing)
            repository.prepare(create=address.folder is not None)
            stack.pop_all()
        return repository

    def prepare(self, *, create: bool) -> None:
        """Make the table where *create* is set, else see that it is there; warn where a repeated INSERT is not safe.

        Raises:
            ConfigurationError: there is no such table, or the user may not set what an INSERT must carry, or the table itself
                undoes that.
        """
        if create:
            self.create_table()
        try:
            self._table.prepare()
        except QueryError as error:
            raise ConfigurationError(
                f"table {self._table.full_name} cannot be used: create it with `millstream migrate` ({error})"
            ) from error

    def without_billing(self) -> EventRepository:
        """Return the same repository, on the same store, but that it adds no billing rows."""
        other = copy.copy(self)
        other.billing = None
        other._line, other._rewrite = EventLine(), EventLine(is_canonical=True)
        return other

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def create_table(self) -> None:
        """Create database and table where they are missing."""
        for statement in create_events_table(self.database, self.table_name):
            self.store.command(statement)

    def store_batch(self, batch: Batch) -> BatchResult:
        """Store the events of *batch*: one INSERT for everything, or a few where the store takes no more at once.

        Called again with the same batch after an error, it goes on where it stopped; see `ClickHouseTable.store`.
        """
        return self._table.store(batch, self._line, partition=_DAY, rewrite=self._rewrite)

    def inserts(self, batch: Batch) -> int:
        """Return how many INSERTs were sent for *batch*, failed ones included."""
        return self._table.inserts(batch)

    @property
    def rows_per_event(self) -> int:
        """Rows that one event becomes: itself, and its billing row."""
        return 1 if self.billing is None else 2

    def count_rows(self, batch: Batch, places: Collection[int]) -> int:
        """Return how many rows the events at *places* of *batch* become: a probe of `doctor` has no billing row."""
        if self.billing is None:
            return len(places)
        items = batch.rows.items()
        return len(places) * self.rows_per_event - sum([is_probe(items[place]) for place in places])

    def insert_count(self) -> int:
        """Return the INSERTs the engine has counted since it started; see `Store.insert_count`."""
        return self.store.insert_count()
