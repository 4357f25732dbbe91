"""The end of a process whose embedded engine is in the middle of an INSERT."""

import subprocess
import sys

import pytest

from tests.handlers.cli.command_aids import ROOT, TIMEOUT, environment

pytestmark = pytest.mark.slow  # a process with an engine of its own


@pytest.mark.parametrize(
    ("ending", "code"),
    [pytest.param("undrained", 5, id="undrained"), pytest.param("second signal", 128 + 15, id="second signal")],
)
def test_a_process_keeps_its_exit_code_while_its_engine_inserts(tmp_path, ending, code):
    """Taking the engine down would end it with a segmentation fault: a supervisor could not tell that from a bug."""
    line = [sys.executable, "-m", "tests.handlers.store.end_in_insert", str(tmp_path / "store"), ending]
    done = subprocess.run(line, cwd=ROOT, env=environment(), check=False, capture_output=True, timeout=TIMEOUT)

    assert (done.returncode, done.stdout) == (code, b""), done.stderr
