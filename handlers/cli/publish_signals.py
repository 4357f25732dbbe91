"""What a command without a router does when it is told to end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

from millstream.router import ForcedExit

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """The first SIGINT or SIGTERM sets `received`, a second one raises `ForcedExit` in the main thread."""

    def __init__(self) -> None:
        self.received = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while the body runs; main thread only."""
        earlier = {each: signal.signal(each, self._handle) for each in SIGNALS}
        try:
            yield
        finally:
            for each, handler in earlier.items():
                signal.signal(each, handler)

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        if self.received:
            raise ForcedExit(signum)
        self.received = True
