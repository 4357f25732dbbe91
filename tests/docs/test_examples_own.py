"""The examples of a handler, a middleware and a process_batch of one's own run as they stand, as does the test of the second."""

import re
import shutil
import signal
import subprocess
import sys

import pytest

from tests.docs.test_readme import ROOT
from tests.handlers.cli.command_aids import environment, query

pytestmark = pytest.mark.slow  # processes


@pytest.fixture
def run_here(tmp_path):
    """A function that runs Python in a folder of its own, which has the examples in it; returns what it printed."""
    for each in (ROOT / "examples").glob("*own_*.py"):
        shutil.copy(each, tmp_path)

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, timeout=60, env=environment(), check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.decode()

    return run


def test_the_handlers_run_until_they_are_interrupted(tmp_path):
    """Beside both lanes, which store events meanwhile; the end is in order."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "ex02_own_handler.py")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(PYTHONUNBUFFERED="1"),
    )
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert lines[0] == b"thank you for order 0\n"
    assert process.returncode == 0, err
    assert b"ConsumptionStats(events=" in out.splitlines()[-1]
    assert int(query("SELECT count() FROM events", cwd=tmp_path)) >= 3


def test_the_middleware_leaves_out_what_it_should(run_here):
    """The other messages are handled."""
    assert run_here("ex03_own_middleware.py").splitlines() == [
        "an order of acme",
        "an order of initech",
        "left out: {'globex': 1}",
    ]


def test_the_test_of_the_middleware_passes_and_finds_a_fault(run_here, tmp_path):
    """By the command at the head of both; it is no test that passes whatever the middleware does."""
    files = ("ex03_own_middleware.py", "test_ex03_own_middleware.py")
    heads = [(tmp_path / name).read_text().split('"""')[1] for name in files]
    [command] = {line for head in heads for line in re.findall(r"cd examples && python (-m pytest \S+)", head)}

    assert [command in head for head in heads] == [True, True]
    assert " passed" in run_here(*command.split())
    text = (tmp_path / "ex03_own_middleware.py").read_text()
    (tmp_path / "ex03_own_middleware.py").write_text(text.replace("                return None\n", ""))
    with pytest.raises(AssertionError, match="2 failed"):
        run_here("-m", "pytest", "-q", "test_ex03_own_middleware.py")


def test_the_batches_are_files_with_every_reading_once(run_here, tmp_path):
    """What is no reading is in a file of its own, with the reason."""
    printed = run_here("ex04_own_process_batch.py")
    files = [path for path in (tmp_path / "readings").iterdir() if path.name != "refused.ndjson"]

    assert re.fullmatch(r"2500 readings in \d files\n", printed)
    assert {path.suffix for path in files} == {".ndjson"}
    assert sum(len(path.read_bytes().splitlines()) for path in files) == 2500
    assert b"it cannot be decoded: JSON is malformed" in (tmp_path / "readings" / "refused.ndjson").read_bytes()


def test_the_rows_are_in_their_tables_and_what_is_wrong_is_named(run_here, tmp_path):
    """By the decoder, by a column and by the table; the others are stored, as the types of the table."""
    lines = run_here("ex08_own_rows.py").splitlines()

    assert [line.split()[0] for line in lines] == ["10", "10", "10", "1"], lines
    assert "Constraint `is_paid`" in lines[0]
    assert lines[1] == "10 column `id` is UInt64, and this int does not fit"
    assert "it cannot be decoded: JSON is malformed" in lines[2]
    assert "its payload is no JSON" in lines[3]
    what = "count(), uniqExact(id), sum(amount), min(at), any(tags)"
    stored = query(f"SELECT {what} FROM payments", cwd=tmp_path)
    assert stored == "970\t970\t494\t2027-01-15 08:01:00.000\t['web']"
    assert query("SELECT count(), uniqExact(page), min(seen) > '2020-01-01' FROM clicks", cwd=tmp_path) == "1000\t5\t1"
