"""A handler whose messages are finished by a worker, as a batcher does it."""

from __future__ import annotations

import threading

from ...delivery.hold import Hold
from ...delivery.message import Message
from ..fake_worker import FakeWorker
from ..recording_handler import RecordingHandler

FLUSH_SECONDS = 0.2
"""What a flush takes from the moment it was asked for: who does not wait for it commits too early, or not at all."""


class Holder:
    """Holds every message, and lets all go when the router asks its worker to flush: in a revoke and at the shutdown."""

    def __init__(self) -> None:
        self.handler = RecordingHandler(answer=self._hold)
        """What the router calls."""
        self.worker = FakeWorker(
            "holder",
            on_seal=lambda _: threading.Timer(FLUSH_SECONDS, self.release).start(),
            on_drain=lambda _: self.release(),
        )
        """What the router starts and drains."""
        self.holds: list[Hold] = []
        """Taken so far, in the order of the calls."""

    def _hold(self, message: Message) -> None:
        self.holds.append(message.hold(self.worker))

    def release(self) -> bool:
        """Let all messages go; returns that nothing is left."""
        for hold in list(self.holds):
            hold.release()
        return True
