"""Who watches over a started router, and closes it: the owner of every other thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from loguru import logger

from ..delivery.context import Scope
from ..errors import UndrainedError
from ..protocols import KnowsItsThreads, Worker
from ..worker_thread import WorkerThread
from .claims import Claims
from .handler_run import HandlerRun
from .lifecycle import Lifecycle, State
from .neighbours import death_of, publishers_of, to_close
from .shutdown import close_once, shut_down
from .signal_line import say_signal

WATCH_SECONDS = 0.02
"""How often it looks whether the router should close, a thread died or every handler stopped."""
ABORT_SECONDS = 1.0
"""What subscriptions may take in all to commit what is durable, when the process has to end at once."""


class Supervisor:
    """Watches and closes on a thread of its own, `millstream-router`.

    Args:
        life: of the router.
        runs: its handlers at work; more may come until the thread starts.
        workers: started with them.
        scope: ends the waits of messages in hand.
        close_timeout: seconds for an orderly end.
        claims: what this router uses, and others may.
    """

    def __init__(
        self,
        life: Lifecycle,
        runs: Sequence[HandlerRun],
        workers: Sequence[Worker],
        scope: Scope,
        close_timeout: float,
        claims: Claims,
    ) -> None:
        self._life = life
        self._runs = runs
        self._workers = workers
        self._scope = scope
        self._close_timeout = close_timeout
        self._claims = claims
        self._thread = WorkerThread("millstream-router", self._supervise)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def is_on_own_thread(self) -> bool:
        """Whether a handler, a worker or a poison sink is asking: it cannot wait for its own end."""
        workers: list[object] = [*self._workers, *(run.sink_worker for run in self._runs)]
        asked = (worker.is_on_own_thread for worker in workers if isinstance(worker, KnowsItsThreads))
        return any(asked) or any(thread.is_current for thread in self._threads())

    def close_everything(self) -> None:
        """Close in order; what is not done in time is kept as the error of the router."""
        left = shut_down(self._runs, self._workers, self._scope, self._close_timeout, self._life.fail)
        close_once(to_close(self._runs, self._claims.give_up()))
        self._scope.cancel()
        self._watch()
        if left and self._life.error is None:
            names = [name for name, _ in left]
            self._life.error = UndrainedError(names, self._close_timeout, dict(left))

    def abort(self) -> None:
        """Commit what is durable, leave, and return, without a flush."""
        self._scope.cancel()
        for run in self._runs:
            run.stop()
            run.begin_close_subscription(ABORT_SECONDS)
        for run in self._runs:
            with contextlib.suppress(UndrainedError):  # that is what an abort is
                run.close_subscription()

    def _supervise(self) -> None:
        try:
            self._watch_until_closing()
            if self._life.closing_signal:
                say_signal(self._life.closing_signal)
            logger.info("router closing")
            self.close_everything()
        except BaseException as error:  # noqa: BLE001 - kept, so that whoever waits for the end hears of it
            self._life.fail(error)
        finally:
            logger.info("router closed")  # before anybody who waits for it goes on
            self._life.reach(State.CLOSED)

    def _watch_until_closing(self) -> None:
        pause = threading.Event()
        try:
            while not self._life.is_close_requested:
                pause.wait(WATCH_SECONDS)
                self._watch()
        except Exception as error:  # noqa: BLE001 - a worker of any make is asked; close in order nevertheless
            self._life.fail(error)
        self._life.reach(State.CLOSING)

    def _watch(self) -> None:
        for error in self._deaths():
            if error is not None:
                self._life.fail(error)
        for run in self._runs:
            if not any(thread.is_alive for thread in run.threads):
                run.handler.mark_stopped()
        if self._runs and not any(thread.is_alive for thread in self._threads()):
            logger.info("all handlers stopped")
            self._life.request_close()

    def _deaths(self) -> Iterator[BaseException | None]:
        yield from (thread.error for thread in self._threads())
        yield from (death_of(run.subscription) for run in self._runs)
        yield from (worker.error for worker in self._workers)
        yield from (run.sink_worker.error for run in self._runs if run.sink_worker is not None)
        yield from map(death_of, publishers_of(self._runs))

    def _threads(self) -> list[WorkerThread]:
        return [thread for run in self._runs for thread in run.threads]
