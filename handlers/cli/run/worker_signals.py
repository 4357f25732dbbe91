"""What a worker hears of its parent, by its stdin: signals, each once, and that the parent has gone."""

from __future__ import annotations

import os
import signal
import threading

from loguru import logger

from millstream.router import SignalsHandler
from millstream.router.worker_thread import WorkerThread

AGAIN_SECONDS = 0.05
"""Before a signal is sent once more that was not heard: two at once are delivered as one."""


class WorkerSignals(SignalsHandler):
    """Closes the router in order at the first signal, whoever sends it; only the parent's second word ends it at once.

    A service manager signals every process of a service, and so does the parent: what would be a second signal is the same one.

    Args:
        source: the descriptor that the parent writes to.
    """

    def __init__(self, source: int) -> None:
        super().__init__()
        self._source = source
        self._words = 0
        self._pause = threading.Event()
        self._thread = WorkerThread("millstream-parent", self._listen)

    def listen(self) -> None:
        """Begin to hear the parent; before there is a router, its first word ends the process as a signal would."""
        self._thread.start()

    def join(self, deadline: float) -> bool:
        """Wait until the parent has gone and that was heard, until *deadline* (monotonic seconds); returns whether it was."""
        return self._thread.join(deadline)

    def hear(self, signum: int) -> bool:
        """Take note of a signal; returns whether it is to end the process at once."""
        if self.received and self._words < 2:
            return False
        return super().hear(signum)

    def _listen(self) -> None:
        while word := os.read(self._source, 1):
            self._obey(word[0])
        if not self._words:
            logger.warning("the parent process has gone: closing")
            self._obey(signal.SIGTERM)

    def _obey(self, signum: int) -> None:
        self._words += 1
        while self.received < self._words:
            os.kill(os.getpid(), signum)
            self._pause.wait(AGAIN_SECONDS)
