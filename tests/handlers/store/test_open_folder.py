"""Opening a chDB folder that cannot be used: one clear line, and none by the engine."""

import os
import subprocess
import sys

import pytest

from millstream.handlers.store import open_store
from millstream.router.errors import ConfigurationError

pytestmark = pytest.mark.slow  # a process for each test

OPEN = """
import sys
from millstream.handlers.store import open_store
from millstream.router.errors import ConfigurationError
try:
    open_store(sys.argv[1])
except ConfigurationError as error:
    sys.exit(f"refused: {error}")
"""


def open_elsewhere(dsn):
    """Open a store in another process; returns what it prints to stderr."""
    return subprocess.run([sys.executable, "-c", OPEN, dsn], capture_output=True, text=True, check=False).stderr


def test_folder_in_use_names_the_process(chdb_store, chdb_folder):
    """The second process gets one line that says who has the folder, and nothing from the engine."""
    stderr = open_elsewhere(f"chdb://{chdb_folder}")

    assert stderr.startswith("refused: ")
    assert f"in use by process {os.getpid()}" in stderr
    assert stderr.count("\n") == 1


def test_folder_left_by_a_dead_process_opens(tmp_path):
    """A status file without its lock is what a killed process leaves; it is no obstacle."""
    tmp_path.joinpath("status").write_text("PID: 1\nStarted at: 2026-01-01 00:00:00\n")

    stderr = open_elsewhere(f"chdb://{tmp_path}")

    assert stderr == ""


@pytest.mark.parametrize("below", ["", "/deeper"], ids=["a file", "below a file"])
def test_file_instead_of_a_folder_is_refused(tmp_path, below):
    """The error names the path."""
    path = tmp_path / "file"
    path.write_text("")

    with pytest.raises(ConfigurationError, match=str(path) + below):
        open_store(f"chdb://{path}{below}")


def test_missing_folder_is_not_made_when_it_must_exist(tmp_path):
    """A mistyped folder is an error for who only reads, and stays missing."""
    with pytest.raises(ConfigurationError, match="no store at"):
        open_store(f"chdb://{tmp_path / 'typo'}", create=False)

    assert list(tmp_path.iterdir()) == []


def test_missing_chdb_says_what_to_install(tmp_path, monkeypatch):
    """Without the extra the error is the command that adds it."""
    monkeypatch.setitem(sys.modules, "chdb", None)

    with pytest.raises(ConfigurationError, match=r"pip install chdb$"):
        open_store(f"chdb://{tmp_path}")


@pytest.mark.parametrize("deadline", [0, -1])
def test_deadline_must_be_positive(tmp_path, deadline):
    """An INSERT that may take no time at all is a configuration error that names the setting."""
    with pytest.raises(ConfigurationError, match="insert_deadline"):
        open_store(f"chdb://{tmp_path}", insert_deadline=deadline)


STORE_AT_NIGHT = """
import sys
from millstream.handlers.store import open_store
store = open_store(sys.argv[1])
store.command("CREATE TABLE default.t (at DateTime64(3, 'UTC')) ENGINE = MergeTree PARTITION BY toYYYYMMDD(at) ORDER BY at")
store.insert_lines("`default`.`t`", ["at"], b'{"at":"2026-01-01T00:30:00Z"}', "tok")
print(store.query("SELECT timezone(), toUnixTimestamp(at), _partition_id, at FROM default.t").rows)
store.close()
"""


def test_times_do_not_depend_on_the_zone_of_the_machine(tmp_path):
    """A row keeps its instant, its day and its text where it is still yesterday."""
    done = subprocess.run(
        [sys.executable, "-c", STORE_AT_NIGHT, f"chdb://{tmp_path}"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TZ": "America/New_York"},
    )

    expected = "[('America/New_York', 1767227400, '20260101', datetime.datetime(2026, 1, 1, 0, 30))]"
    assert done.stdout.strip() == expected
