"""The store's side: that it lets us in, which engine it is, its clock, the table, our rights, the settings of an INSERT."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator

from millstream.handlers.settings.sections import ClickHouseConfig
from millstream.handlers.store import Store
from millstream.handlers.store.chdb_folder import check_not_in_use, find_folder
from millstream.router import ConfigurationError, MillstreamError, TransientError

from .clocks import check_clock
from .findings import Finding, attempt_all, failure, ok, skipped, warning
from .opening import open_for_looking
from .rights import check_rights
from .sent import check_settings
from .table import NO_TABLE, TableChecks
from .versions import judge_version

VERSION_QUERY = "SELECT version()"


class StoreChecks:
    """Looks at the store of the settings; opens it for as long as `run` goes on.

    Args:
        config: where it is.
    """

    def __init__(self, config: ClickHouseConfig) -> None:
        self._config = config
        self._subject = f"store {config.address.redacted}"
        self.is_ready = False
        """Whether there is a table to look for events in."""

    def run(self) -> Iterator[Finding]:
        """Yield what is found, one after the other."""
        found = self._without_opening()
        if found is not None:
            yield found
            return
        try:
            store = open_for_looking(self._config)
        except MillstreamError as error:
            mend = "start it, or mend" if isinstance(error, TransientError) else "mend"
            yield failure(self._subject, f"{error}; {mend} clickhouse.dsn (or --store)")
            yield skipped("engine, clock, table, rights, settings", "not looked at, as the store does not let us in")
            return
        with contextlib.closing(store):
            yield ok(self._subject, "lets us in")
            yield from self._look(store)

    def _without_opening(self) -> Finding | None:
        """Return what keeps a folder from being opened, if anything does: one that is not there is not made."""
        folder = self._config.address.folder
        if folder is None:
            return None
        if importlib.util.find_spec("chdb") is None:
            return failure(self._subject, "a chdb:// store needs chDB: pip install chdb")
        try:
            real, is_there = find_folder(folder)
        except ConfigurationError as error:
            return failure(self._subject, f"{error}; mend clickhouse.dsn (or --store)")
        if not is_there:
            return warning(self._subject, f"there is none at {real} yet: ingest, demo, migrate and run make it")
        try:
            check_not_in_use(real)
        except ConfigurationError as error:
            return warning(self._subject, f"not looked at: {error}")
        return None

    def _look(self, store: Store) -> Iterator[Finding]:
        config = self._config
        table = TableChecks(store, config)
        yield from attempt_all(
            [
                ("engine", lambda: check_version(store, table.has_views)),
                ("clock", lambda: check_clock(store)),
                (table.subject, table.run),
                (
                    "rights",
                    lambda: check_rights(store, table.name) if table.is_there else [skipped("rights", NO_TABLE)],
                ),
                ("settings of an INSERT", lambda: check_settings(store, config)),
            ]
        )
        self.is_ready = table.is_there


def check_version(store: Store, has_views: Callable[[], bool]) -> list[Finding]:
    """Ask for the version; *has_views* says whether the table of events feeds any."""
    return [judge_version(str(store.query(VERSION_QUERY).rows[0][0]), has_views=has_views())]
