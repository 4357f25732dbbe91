"""A room imported by its bare name fails the run, whichever worker did it. Seen from runs of pytest on a small suite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # a run of pytest for each test

ROOT = Path(__file__).parents[2]
SUITE = """
import sys
def test_one():
    pass
def test_two():
    sys.modules["{name}"] = sys
"""


def run_suite(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    """Run the small suite on two workers, one of which has a module called *name* in the end."""
    (folder / "conftest.py").write_text("from tests.guards.last_look import *\n")
    (folder / "test_small.py").write_text(SUITE.format(name=name))
    (folder / "pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_bare_room_in_one_worker_fails_the_run(tmp_path: Path) -> None:
    """Expect its name at the end, though every test has passed."""
    done = run_suite(tmp_path, "router.message")

    assert done.returncode == 1
    assert "2 passed" in done.stdout
    assert "IMPORTED TWICE" in done.stdout
    assert "router.message" in done.stdout


def test_a_run_without_one_says_nothing(tmp_path: Path) -> None:
    """Expect no word, and no failure, for a name that only begins alike."""
    done = run_suite(tmp_path, "routers")

    assert done.returncode == 0, done.stdout
    assert "IMPORTED TWICE" not in done.stdout
