"""What a run left behind in each of its processes: with pytest-xdist a test sees only that of the worker which runs it."""

import sys
from typing import Any

import pytest

from tests.guards.imports import find_bare_rooms

BARE_ROOMS = "rooms imported by their bare names"

_found = pytest.StashKey[list[str]]()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look in this worker; where all have ended, let the run fail for what any of them found."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[BARE_ROOMS] = find_bare_rooms(sys.modules)
    elif session.config.stash.get(_found, None):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker has found."""
    found = node.config.stash.setdefault(_found, [])
    found += getattr(node, "workeroutput", {}).get(BARE_ROOMS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what would have been a second copy of every class."""
    found = config.stash.get(_found, [])
    if found:
        terminalreporter.section("IMPORTED TWICE", sep="!", red=True, bold=True)
        terminalreporter.write_line(", ".join(sorted(set(found))), red=True, bold=True)
