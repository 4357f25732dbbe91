"""The handles of a store to an embedded engine. What a handle of chDB is not good at, measured with 26.9:

- it is not safe for a second statement while a stream is open, and when a statement fails half-way its output stands
  before the answer of the next one: so statements of a user get a handle of their own (10 ms);
- two inserts on one handle wait for each other, on two handles they run side by side: so inserts take an idle handle or
  open one.
"""

import contextlib
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from millstream.router.errors import ConfigurationError, MillstreamError, StateError
from millstream.router.foreign_calls import foreign_call

from .chdb_folder import check_not_in_use, folder_in_use, prepare_folder
from .driver import Client, DriverError, open_folder
from .dsn import StoreDsn
from .reasons import short_reason


class FolderConnections:
    """Handles to the one engine this process can have; the first only keeps the engine running."""

    def __init__(self, dsn: StoreDsn, folder: Path, database: str | None, *, create: bool) -> None:
        if importlib.util.find_spec("chdb") is None:
            raise ConfigurationError("a chdb:// store needs chDB: pip install chdb")
        self._dsn = dsn
        self._folder = prepare_folder(folder, create=create)
        self._database = database
        self._lock = threading.Lock()
        self._idle: list[Client] = []
        self._anchor: Client | None = _open(dsn, self._folder)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Client]:
        """Lend a handle for inserts and commands."""
        with foreign_call():
            client = self._take()
            try:
                yield client
            except BaseException:
                # What a failed statement leaves behind in a handle must not meet the next one.
                client.close()
                raise
            with self._lock:
                if self._anchor is not None:
                    self._idle.append(client)
                    return
            client.close()

    @contextlib.contextmanager
    def reading(self, *, read_only: bool) -> Iterator[tuple[Client, dict[str, Any]]]:
        """Lend a handle of its own for a statement of a user, with the settings that it must carry."""
        self._check_open()
        client = _open(self._dsn, self._folder)
        with contextlib.closing(client):
            client.database = self._database
            if read_only:
                # On the handle, not per statement: there no statement can take it back.
                client.command("SET readonly = 1")
            yield client, {}

    def close(self) -> None:
        """Give all handles back, and with the last one the engine; may be called twice."""
        with self._lock:
            clients = [*self._idle, *filter(None, [self._anchor])]
            self._idle.clear()
            self._anchor = None
        with foreign_call():  # the last one ends the threads of the engine, which takes a while
            for client in clients:
                client.close()

    def _take(self) -> Client:
        with self._lock:
            self._check_open()
            if self._idle:
                return self._idle.pop()
        return _open(self._dsn, self._folder)

    def _check_open(self) -> None:
        if self._anchor is None:
            raise StateError("the store is closed")


def _open(dsn: StoreDsn, folder: Path) -> Client:
    try:
        return open_folder(dsn, folder)
    except ImportError as error:
        raise ConfigurationError(f"chDB cannot be loaded ({error}): pip install chdb") from error
    except DriverError as error:
        raise _opening_error(folder, str(error)) from error


def _opening_error(folder: Path, text: str) -> MillstreamError:
    if "already initialized with path" in text:
        other = text.partition("already initialized with path '")[2].partition("'")[0]
        return ConfigurationError(f"cannot open {folder}: this process has another chDB folder open, {other}")
    try:
        check_not_in_use(folder)
    except ConfigurationError:
        # Another process was faster between the check and the opening.
        return folder_in_use(folder)
    reason = short_reason(text).partition("Failed to create connection: ")[2] or short_reason(text)
    return ConfigurationError(f"cannot open the chDB folder {folder}: {reason}")
