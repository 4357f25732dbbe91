"""Events in the store: the table, and what one batch becomes in it."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence

from loguru import logger

from millstream.handlers.store import (
    FEEDS_VIEWS,
    ClickHouseTable,
    InsertPlan,
    QueryError,
    Store,
    StoreDsn,
    find_fed_twice,
    open_store,
)
from millstream.router import ConfigurationError

from .billing import BillingConfig, billing_line
from .event import Event, canonical_line, day_number
from .raw_line import store_line
from .schema import EVENT_COLUMNS, create_events_table


class EventRepository:
    """Writes events, and their billing rows where billing is configured, into one table.

    The bytes of a validated event go into the store as they came; Python never encodes them again.

    Args:
        store: an open store.
        database, table: where events go.
        billing: adds one billing row per event, in the same INSERT; `None` adds none.

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
    ) -> EventRepository:
        """Open the store at *dsn* and return its repository, ready to be written to.

        In an embedded store the table is made where it is missing; on a server that is what `millstream migrate` is for.

        Args:
            dsn: see `open_store`.
            database, table: where events go; without *database* that of *dsn*, else `default`.
            billing: as of the constructor.
            insert_deadline: seconds to wait for the answer to one INSERT.

        Raises:
            ConfigurationError: the store cannot be opened, or has no such table.
            StoreUnavailable: nothing answers at *dsn*.
        """
        address = StoreDsn.parse(dsn) if isinstance(dsn, str) else dsn
        name = database or address.database or "default"
        with contextlib.ExitStack() as stack:
            store = stack.enter_context(contextlib.closing(open_store(address, insert_deadline=insert_deadline)))
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
        self.store.prepare_inserts()
        if create:
            self.create_table()
        try:
            self._table.refuse_async_inserts()
            window, views_miss_repeats = self._table.deduplication_window(), self._table.views_miss_repeats()
        except QueryError as error:
            raise ConfigurationError(
                f"table {self._table.full_name} cannot be used: create it with `millstream migrate` ({error})"
            ) from error
        fed_twice = find_fed_twice(self.store, self.database, self.table_name)
        log = logger.bind(table=self._table.full_name)
        if window == 0:
            log.warning("the table has no deduplication window: an INSERT whose answer is lost may be stored twice")
        if fed_twice:
            log.warning(
                "a repeated INSERT adds its rows once more to what views fill; ALTER TABLE … MODIFY SETTING … = 1000 there: "
                + ", ".join(f"{name} ({setting})" for name, setting in fed_twice.items())
            )
        if views_miss_repeats:
            log.warning(f"the table passes no repeated INSERT on to its views: set {FEEDS_VIEWS}=1 in the profile")

    def without_billing(self) -> EventRepository:
        """Return the same repository, on the same store, but that it adds no billing rows."""
        other = copy.copy(self)
        other.billing = None
        return other

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def create_table(self) -> None:
        """Create database and table where they are missing."""
        for statement in create_events_table(self.database, self.table_name):
            self.store.command(statement)

    def plan(self, payloads: Sequence[bytes], events: Sequence[Event], token: str) -> InsertPlan:
        """Return the plan of one batch: one INSERT for everything, or a few where the store takes no more at once.

        Args:
            payloads: the JSON of each event as it came.
            events: what `decode_event` made of it.
            token: names this exact row set.
        """
        billing = self.billing
        units = [store_line(event, payload) for event, payload in zip(events, payloads, strict=True)]
        if billing is not None:
            units = [
                b"%b\n%b" % (unit, billing_line(event, billing)) for unit, event in zip(units, events, strict=True)
            ]

        def rewrite(place: int) -> bytes:
            line = canonical_line(events[place])
            return line if billing is None else b"%b\n%b" % (line, billing_line(events[place], billing))

        return self._table.plan(units, token, days=[day_number(event) for event in events], rewrite=rewrite)

    @property
    def rows_per_event(self) -> int:
        """Rows that one event becomes: itself, and its billing row."""
        return 1 if self.billing is None else 2

    def insert_count(self) -> int:
        """Return the INSERTs the engine has counted since it started; see `Store.insert_count`."""
        return self.store.insert_count()
