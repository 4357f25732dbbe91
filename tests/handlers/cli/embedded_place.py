"""The embedded store of the test process, for tests of commands on it."""

from pathlib import Path

import pytest

from millstream.handlers.store import Store
from tests.handlers.cli.main_in_process import run_main


class Place:
    """The embedded store of the test process, one database in it, and the options that lead there."""

    def __init__(self, store: Store, folder: Path, database: str, tmp_path: Path) -> None:
        self.store = store
        self.database = database
        self.folder = tmp_path
        config = tmp_path / "millstream.toml"
        config.write_text(f"[clickhouse]\ndsn = 'chdb://{folder}'\ndatabase = '{database}'\n")

    def run(self, *arguments: str) -> int:
        """Call the command line and return its exit code."""
        return run_main(*arguments, folder=self.folder)


@pytest.fixture
def place(chdb_store: Store, chdb_folder: Path, database: str, tmp_path: Path) -> Place:
    """A folder whose settings lead to an empty database of the embedded store."""
    return Place(chdb_store, chdb_folder, database, tmp_path)
