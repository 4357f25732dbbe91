"""The life of a router: how far it is, who waits for that, and what ended it."""

from __future__ import annotations

import enum
import math
import threading
from collections.abc import Collection

from loguru import logger

from ..clock import MONOTONIC
from ..errors import StateError
from ..exit_codes import is_bug
from ..own_process import OwnProcess

SIGNAL_SECONDS = 0.5
"""After which a wait begins anew: a signal that reaches another thread, or comes right before the wait, does not end it."""


class State(enum.Enum):
    """How far a router is; it goes forward only."""

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    CLOSING = "closing"
    CLOSED = "closed"


class Lifecycle:
    """The state of one router. Any thread may ask, wait, and call for the end."""

    def __init__(self) -> None:
        self.state = State.NEW
        self.is_close_requested = False
        """A flag that is polled, as a signal handler may set it in the middle of anything, where taking a lock could wait for
        ever."""
        self.closing_signal = ""
        """The name of the signal that called for the end, if one did."""
        self.error: BaseException | None = None
        """What stopped it."""
        self._changed = threading.Condition()
        self._process: OwnProcess | None = None
        """Where it was started."""
        self._starter = 0
        """The thread that starts it."""

    def require_new(self, what: str) -> None:
        """Raise StateError unless *what* still can be done."""
        if self.state is not State.NEW:
            raise StateError(f"the router has started: {what} before Router.run()")

    def begin(self) -> None:
        """Go from new to starting; raises StateError the second time."""
        with self._changed:
            self.require_new("a router runs once, make a new one and")
            self.state = State.STARTING
            self._process = OwnProcess("router")
            self._starter = threading.get_ident()

    @property
    def is_starting_here(self) -> bool:
        """Whether it is about to start, by the very thread that asks: such as in a plugin."""
        return self.state is State.STARTING and self._starter == threading.get_ident()

    def require_own_process(self) -> None:
        """Raise StateError in a process that was forked from the one that runs the router."""
        if self._process is not None:
            self._process.require("only the process that started it can close it")

    def reach(self, state: State) -> None:
        """Take note that the router has come to *state*."""
        with self._changed:
            self.state = state
            self._changed.notify_all()

    def close_if_new(self) -> bool:
        """End what was never started; returns whether it was that."""
        with self._changed:
            is_new = self.state is State.NEW
            if is_new:
                self.reach(State.CLOSED)
            return is_new

    def request_close(self, signal: str = "") -> None:
        """Call for an orderly end, because of *signal* if one is named, and return at once. Safe in a signal handler."""
        self.closing_signal = self.closing_signal or signal
        self.is_close_requested = True

    def fail(self, error: BaseException) -> None:
        """Call for the end because of *error*; the first one counts. Returns at once."""
        if self.error is None:
            self.error = error
            if not is_bug(error):  # a bug has been told, with its traceback, by the thread that died of it
                logger.error("the router stops: {}", error)
        self.request_close()

    def wait_for(self, states: Collection[State], timeout: float | None) -> bool:
        """Wait for one of *states*; returns False after *timeout* seconds."""
        deadline = math.inf if timeout is None else MONOTONIC.now() + timeout
        with self._changed:
            while self.state not in states and (left := deadline - MONOTONIC.now()) > 0:
                self._changed.wait(min(left, SIGNAL_SECONDS))
            return self.state in states

    def wait_closed(self, timeout: float | None) -> bool:
        """Wait for the end and raise what ended it, if that was an error; returns False after *timeout* seconds."""
        self.require_own_process()
        if not self.wait_for({State.CLOSED}, timeout):
            return False
        if self.error is not None:
            raise self.error
        return True
