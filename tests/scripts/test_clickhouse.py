"""What `scripts/clickhouse` starts, keeps and says."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from millstream.handlers.store import open_store
from millstream.router.testing import eventually
from tests.handlers.store.real_clickhouse import OwnClickHouse, run_script

pytestmark = pytest.mark.slow  # processes

END_SECONDS = 30.0
"""For the end of a process that was killed, on a busy machine."""

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
def test_on_any(real_clickhouse):
    assert real_clickhouse.url == "http://127.0.0.1:1"
def test_on_own(own_clickhouse):
    raise AssertionError("there is no server to hand out")
def test_on_none():
    pass
"""


@pytest.fixture
def without_npm(tmp_path: Path) -> dict[str, str]:
    """An environment with what the script needs, but without npm and with nothing in the cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname", "cat"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return {"PATH": str(folder), "PYTHON": sys.executable, "XDG_CACHE_HOME": str(tmp_path / "cache")}


def run_suite(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the small suite in a process of its own, in *folder*."""
    (folder / "conftest.py").write_text("from tests.handlers.store.real_clickhouse_fixtures import *\n")
    (folder / "test_small.py").write_text(SUITE)
    kept = {name: value for name, value in os.environ.items() if name not in {"CI", "CLICKHOUSE_URL"}}
    options = ["-q", "-p", "no:cacheprovider", "-o", "markers=slow: is slow", "--strict-markers"]
    line = [sys.executable, "-m", "pytest", *options, "."]
    env = {**kept, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(line, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_the_script_names_what_is_missing(without_npm: dict[str, str]) -> None:
    """Expect `start` to end with one line that says what to install, and without a server."""
    line = [ROOT / "scripts" / "clickhouse", "start"]
    done = subprocess.run(line, env=without_npm, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("clickhouse: npm was not found; install it")
    assert done.stderr.count("\n") == 1


def test_without_npm_the_run_says_what_was_not_run(tmp_path: Path, without_npm: dict[str, str]) -> None:
    """Expect the other test to pass, and a last word with the count and the reason."""
    done = run_suite(tmp_path, **without_npm)

    assert done.returncode == 0, done.stdout
    assert "1 passed, 2 deselected" in done.stdout
    assert "2 of the tests that need a real ClickHouse: clickhouse: npm was not found" in done.stdout


def test_without_npm_ci_fails(tmp_path: Path, without_npm: dict[str, str]) -> None:
    """Expect an error with the reason for each test that needs a server."""
    done = run_suite(tmp_path, CI="true", **without_npm)

    assert done.returncode == 1
    assert "1 passed, 2 errors" in done.stdout
    assert "clickhouse: npm was not found" in done.stdout


def test_a_given_address_serves_the_tests_that_need_any_server(tmp_path: Path, without_npm: dict[str, str]) -> None:
    """Expect only the test that needs users of its own to be left out."""
    done = run_suite(tmp_path, CLICKHOUSE_URL="http://127.0.0.1:1", **without_npm)

    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 deselected" in done.stdout


def test_a_running_server_is_shown_and_not_started_twice(own_clickhouse: OwnClickHouse) -> None:
    """Expect its address alone on stdout, and one line for who wants another in the same folder."""
    shown = run_script("status", "--folder", own_clickhouse.folder)
    again = run_script("start", "--folder", own_clickhouse.folder)

    assert (shown.returncode, shown.stdout) == (0, f"{own_clickhouse.url}\n")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith(f"clickhouse: already running at {own_clickhouse.url}")


def test_a_taken_port_and_a_wrong_configuration_are_told(own_clickhouse: OwnClickHouse, tmp_path: Path) -> None:
    """Expect one line each, and nothing left running."""
    port = own_clickhouse.url.rpartition(":")[2]
    taken = run_script("start", "--folder", tmp_path / "one", "--port", port)
    (tmp_path / "config.xml").write_text("<clickhouse><users_config>/no/such/file.xml</users_config></clickhouse>")
    wrong = run_script("start", "--folder", tmp_path / "two", "--config", tmp_path / "config.xml")

    assert taken.stderr == f"clickhouse: port {port} is taken; choose another with --port, or another --folder\n"
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("clickhouse: the server ended during its start; ")
    assert run_script("status", "--folder", tmp_path / "two").returncode == 1


def test_rows_survive_the_server(own_clickhouse: OwnClickHouse, tmp_path: Path) -> None:
    """Expect a server that is killed, started again and stopped to be where it was, with what was stored."""
    folder, pid_file = ("--folder", tmp_path / "server"), tmp_path / "server" / "server.pid"
    url = run_script("start", *folder).stdout.strip()
    try:
        with contextlib.closing(open_store(url)) as store:
            store.command("CREATE TABLE kept (id String) ENGINE = MergeTree ORDER BY id")
            store.insert_lines("`default`.`kept`", ["id"], b'{"id":"a"}', "one")
        os.kill(int(pid_file.read_text()), signal.SIGKILL)
        assert eventually(lambda: run_script("status", *folder).returncode == 1, END_SECONDS)
        again = run_script("start", *folder)
        with contextlib.closing(open_store(url)) as store:
            rows = store.query("SELECT id FROM default.kept").rows
        process = Path("/proc", pid_file.read_text(), "cmdline")
        ours = process.read_bytes()
    finally:
        stopped = run_script("stop", *folder)

    assert (again.stdout.strip(), rows) == (url, [("a",)])
    assert stopped.returncode == 0
    # Not a look at the port: by now somebody else may listen there.
    assert ours
    assert not process.exists() or process.read_bytes() != ours
