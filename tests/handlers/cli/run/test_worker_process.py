"""A worker as its parent starts it: a real process, which says its version and ends."""

import pytest

from millstream.handlers.cli.run.worker_process import WorkerProcess
from millstream.router.testing import eventually
from tests.handlers.cli.command_aids import environment

pytestmark = pytest.mark.slow  # processes


def test_nothing_in_the_current_folder_passes_for_a_library(tmp_path, monkeypatch):
    """As little as for the command itself: a file of the user's may well be called like one."""
    (tmp_path / "click.py").write_text("raise SystemExit(77)\n")
    monkeypatch.chdir(tmp_path)
    process = WorkerProcess(["--version"], environment())

    assert eventually(lambda: process.poll() is not None, 20.0)
    assert process.poll() == 0
