"""A thread with a name and an owner, that stops when it is told to and never dies unnoticed."""

import threading
from collections.abc import Callable

from loguru import logger

from .clock import MONOTONIC
from .errors import reason_of
from .exit_codes import is_bug


class LastError:
    """What went wrong last, for whoever has to wait: as a text, as an error would keep its frames and their messages alive."""

    def __init__(self) -> None:
        self._said = ""
        self._at = 0.0

    def note(self, error: BaseException) -> None:
        """Take note of *error*, now."""
        self._said, self._at = reason_of(error), MONOTONIC.now()

    def clear(self) -> None:
        """Take note that all is well."""
        self._said = ""

    @property
    def text(self) -> str:
        """What it was, and how long ago; empty when there was nothing."""
        return f"{self._said}, {MONOTONIC.now() - self._at:.0f} s ago" if self._said else ""


class WorkerThread:
    """Run *target* on a thread called *name*; whatever it raises is kept in `error` for its owner to see.

    A daemon: a process that is told to exit at once must not wait for it. Its owner joins it in every orderly end.
    """

    def __init__(self, name: str, target: Callable[[], None]) -> None:
        self.name = name
        self.error: BaseException | None = None
        self.last_error = LastError()
        """What went wrong last in its work, and did not end it: for the thread itself to note."""
        self._target = target
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._start = threading.Lock()

    def start(self) -> None:
        """Start the thread; does nothing when it was started before."""
        with self._start:
            if self._thread.ident is None:
                self._thread.start()

    def _run(self) -> None:
        has_ended = False
        try:
            self._target()
            has_ended = True
        except BaseException as error:  # noqa: BLE001 - the top of a thread: nobody above would see it
            self.error = error
            if is_bug(error):
                logger.opt(exception=error).error("thread {} died", self.name)
            else:  # the owner raises it, or says it: once, not once for each thread that met it
                logger.debug("thread {} ended by a {}", self.name, type(error).__name__)
        finally:
            if not has_ended and self.error is None:
                # An extension module raised what is no exception (confluent-kafka, inside a callback): no `except` sees it.
                self.error = RuntimeError(f"thread {self.name} died of something that is no exception")
                logger.error(str(self.error))
                return  # noqa: B012 - swallows it: nobody above could handle it either

    @property
    def is_alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._thread.is_alive()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this very thread."""
        return threading.current_thread() is self._thread

    def join(self, deadline: float) -> bool:
        """Wait for its end until *deadline* (real monotonic seconds); returns whether it has ended, or never began."""
        if self._thread.ident is None:
            return True
        if not self.is_current:
            self._thread.join(max(0.0, deadline - MONOTONIC.now()))
        return not self._thread.is_alive()
