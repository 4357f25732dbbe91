"""A test that hangs, even with the interpreter locked, ends the run and shows where every thread stands.

As `faulthandler_timeout` of pytest does, which starts a thread for each test and so costs each a millisecond: here one stands
for many tests. Where that option is set on the command line, as for `make soak`, it counts instead.
"""

from __future__ import annotations

import faulthandler
import time

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

HANG_SECONDS = 600
"""The longest waits for a real broker that is killed twice: a minute, and several on a busy machine."""
REARM_SECONDS = 10.0
"""A test may hang for so much less than that before the run ends."""


class HangWatch:
    """Keeps the end of the process some minutes away from the last test that began."""

    def __init__(self, stderr: int) -> None:
        self._stderr = stderr
        self._due = 0.0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self) -> None:
        """Put it off, unless that was done a moment ago."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + REARM_SECONDS
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True, file=self._stderr)

    def pytest_sessionfinish(self) -> None:
        """Let what follows the tests take as long as it takes."""
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Watch, where pytest itself does not."""
    if not float(config.getini("faulthandler_timeout")):
        config.pluginmanager.register(HangWatch(config.stash[fault_handler_stderr_fd_key]))
