"""`--reload`: when the one process of a service is started again, and how it ends. No I/O of its own."""

from __future__ import annotations

import signal
from collections.abc import Callable

from loguru import logger

from millstream.router import MONOTONIC, ExitCode
from millstream.router.clock import Clock

from .changes import Changes, Look
from .workers import DONE, END_SECONDS, GRACE_SECONDS, Process

LOOK_SECONDS = 0.5
"""Between two looks at the files; a change is acted on with the second look that finds it, so within a second."""


class Reloading:
    """Keeps one process going, and starts it again when files change. For one thread.

    One that fails, as by an error in what was just written, is started again with the next change; one that ends in order has
    done what it was to do.

    Args:
        start: starts the process.
        files: says how the files are.
        close_timeout: seconds that the process gives itself to end in order.
        clock: what is waited by.
    """

    def __init__(
        self,
        start: Callable[[], Process],
        files: Callable[[], Look],
        *,
        close_timeout: float = 30.0,
        clock: Clock = MONOTONIC,
    ) -> None:
        self._start_process = start
        self._files = files
        self._close_timeout = close_timeout
        self._clock = clock
        self._changes = Changes(files())  # before the start: what is written while it begins is a change
        self._heard = 0
        self._told = 0
        """The signal that the process was last told to end with."""
        self._kill_at: float | None = None
        self._process: Process | None = start()
        self.is_done = False
        """Whether nothing runs, and nothing will."""
        self.code: int = ExitCode.CLEAN
        """The exit code: that of the last process, or 128 and the number of a second signal."""
        self._forced: int | None = None

    def look(self) -> float:
        """Take in what has changed and how the process is; returns the seconds after which to look again."""
        if self._process is not None:
            self._take_end(self._process)
        changed = [] if self._heard else self._changes.see(self._files())
        if changed and not self.is_done:
            logger.bind(files=[str(path) for path in changed]).info("files changed, starting again")
            self._start_again()
        if self._process is not None and self._kill_at is not None and self._clock.now() >= self._kill_at:
            logger.error("process {pid} did not end in time: killing it", pid=self._process.pid)
            self._process.kill()
        return LOOK_SECONDS

    def hear(self, signum: int) -> None:
        """Take note of a signal: the first ends the process in order, the second at once."""
        self._heard += 1
        if self._process is None:
            self.is_done = True
        elif self._heard > 1:
            self._process.tell(signum)
            self._forced = signum
            self._kill_at = self._clock.now() + END_SECONDS
        elif self._kill_at is None:
            self._end(self._process, signum)
        # else it is on its way already, and a second word would end it at once

    def _start_again(self) -> None:
        if self._process is None:
            self._process = self._start_process()
        elif self._kill_at is None:
            self._end(self._process, signal.SIGTERM)

    def _end(self, process: Process, signum: int) -> None:
        process.tell(signum)
        self._told = signum
        self._kill_at = self._clock.now() + self._close_timeout + GRACE_SECONDS

    def _take_end(self, process: Process) -> None:
        code = process.poll()
        if code is None:
            return
        was_told, self._kill_at, self._process = self._kill_at is not None, None, None
        self.code = self._meaning(code, was_told=was_told)
        if was_told and not self._heard:
            self._process = self._start_process()
        elif self._heard or self.code in DONE:
            self.is_done = True
        else:
            logger.warning("ended by itself with code {code}: waiting for a change", code=self.code)

    def _meaning(self, code: int, *, was_told: bool) -> int:
        """Return *code* as a shell has it, of a second signal whatever it was."""
        if self._forced is not None:
            return 128 + self._forced
        if (
            was_told and code == -self._told
        ):  # before it had begun to listen: it has died of that, and has ended in order
            return ExitCode.CLEAN
        return 128 - code if code < 0 else code
