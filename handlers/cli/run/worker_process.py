"""Worker processes as their parent sees them: started, told to end, and waited for together with signals."""

from __future__ import annotations

import collections
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import FrameType
from typing import Protocol

DRAIN_BYTES = 4096


class Kept(Protocol):
    """Processes that are kept going: `Workers`, or the one of `Reloading`."""

    @property
    def is_done(self) -> bool:
        """Whether none runs, and none will."""
        ...

    @property
    def code(self) -> int:
        """The exit code of the whole."""
        ...

    def look(self) -> float | None:
        """Take in what has happened; returns the seconds after which to look again, `None`: when a child ends."""
        ...

    def hear(self, signum: int) -> None:
        """Take note of a signal: the first ends in order, the second at once."""
        ...


class WorkerProcess:
    """`python -P -m millstream` with *arguments*: implements `Process`.

    `-P` keeps the current folder off its path, as it is off that of the command: nothing there may pass for a library.

    It hears its parent by its stdin: a byte is the number of a signal, the end that the parent has gone. A session of its own
    keeps the terminal's Ctrl-C from it, which would be a second signal beside the parent's.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this very program, with arguments that it has read itself
            [sys.executable, "-P", "-m", "millstream", *arguments],
            stdin=subprocess.PIPE,
            bufsize=0,
            env=dict(environment),
            start_new_session=True,
        )
        self.pid = self._process.pid

    def poll(self) -> int | None:
        """Return how it has ended, negative by a signal; `None`: it runs."""
        code = self._process.poll()
        if code is not None and self._process.stdin is not None:
            self._process.stdin.close()
        return code

    def tell(self, signum: int) -> None:
        """Tell it to end."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it has just ended
                os.write(self._process.stdin.fileno(), bytes([signum]))

    def kill(self) -> None:
        """End it from outside."""
        self._process.kill()


def keep_going(workers: Kept) -> int:
    """Keep *workers* going until the end, and return the exit code. In the main thread, where Python delivers signals."""
    with _Signals() as signals:
        while True:
            seconds = workers.look()
            if workers.is_done:
                return workers.code
            for signum in signals.wait(seconds):
                workers.hear(signum)


class _Signals:
    """Waits for SIGINT, SIGTERM, and the end of a child; a context manager.

    By a descriptor that each signal writes to: one that comes right before the wait is not missed.
    """

    def __enter__(self) -> _Signals:
        self._heard: collections.deque[int] = collections.deque()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._earlier_writer = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._earlier = {
            signal.SIGINT: signal.signal(signal.SIGINT, self._hear),
            signal.SIGTERM: signal.signal(signal.SIGTERM, self._hear),
            signal.SIGCHLD: signal.signal(signal.SIGCHLD, lambda *_: None),  # an ignored one wakes nobody
        }
        return self

    def _hear(self, signum: int, _: FrameType | None) -> None:
        self._heard.append(signum)

    def __exit__(self, *_: object) -> None:
        for each, earlier in self._earlier.items():
            signal.signal(each, signal.SIG_DFL if earlier is None else earlier)
        signal.set_wakeup_fd(self._earlier_writer)
        self._reader.close()
        self._writer.close()

    def wait(self, seconds: float | None) -> Iterator[int]:
        """Wait for a signal, so many seconds at most; yields those to end by."""
        if select.select([self._reader], [], [], seconds)[0]:
            self._reader.recv(DRAIN_BYTES)
        while self._heard:
            yield self._heard.popleft()
