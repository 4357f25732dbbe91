"""One handler that stops by itself while the others go on: what it has in hand is finished, and its partitions go to others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from loguru import logger

from ..clock import MONOTONIC
from ..delivery.context import Scope
from ..delivery.revoke_wait import RevokeWait
from ..errors import UndrainedError
from ..protocols import ShowsBooks, Subscription, Worker
from ..worker_thread import WorkerThread

LOOK_AGAIN_SECONDS = 0.02
"""Between looks at what is not finished; nobody is in a hurry."""


class Departure:
    """Drains one handler and closes its subscription, on a thread of its own; leaves the rest to the router when that closes.

    Args:
        handler: its name.
        scope: of the router.
        workers: who is asked to flush; they serve other handlers as well, and go on.
        seconds: how long the flush may take; what is not settled by then is delivered again to whoever has the partition next.
    """

    def __init__(self, handler: str, scope: Scope, workers: Callable[[], Sequence[Worker]], seconds: float) -> None:
        self.thread = WorkerThread(f"stop-{handler}", self._run)
        self._handler = handler
        self._scope = scope
        self._workers = workers
        self._seconds = seconds
        self._threads: Sequence[WorkerThread] = ()
        self._subscription: Subscription | None = None
        self._pause = threading.Event()

    def begin(self, threads: Sequence[WorkerThread], subscription: Subscription) -> None:
        """Wait for *threads*, which were told to stop, and close *subscription*; returns at once. Once is enough."""
        if self._subscription is None:
            self._threads, self._subscription = threads, subscription
            self.thread.start()

    def _run(self) -> None:
        subscription = self._subscription
        if subscription is None:
            return
        self._wait_while(lambda: any(thread.is_alive for thread in self._threads))
        if not isinstance(subscription, ShowsBooks):
            logger.bind(subscription=type(subscription).__name__).warning(
                "handler {handler} stopped; nobody can tell what is held of its subscription, which stays open until the router"
                " closes",
                handler=self._handler,
            )
            return
        self._drain(subscription)
        if self._scope.is_closing:
            return  # the router drains the workers as well, and closes the subscription after that
        try:
            subscription.close()
        except UndrainedError as error:
            text = "handler {handler} stopped, and not all is committed: {error}"
            logger.warning(text, handler=self._handler, error=str(error))

    def _drain(self, subscription: ShowsBooks) -> None:
        deadline = MONOTONIC.now() + self._seconds
        assignments = [book.assignment for book in subscription.books]
        for worker in self._workers():
            worker.seal(assignments, deadline)
        began = MONOTONIC.now()
        self._wait_while(lambda: not RevokeWait(subscription.books, began, deadline).looks_over(MONOTONIC.now()))

    def _wait_while(self, is_busy: Callable[[], bool]) -> None:
        while is_busy() and not self._scope.is_closing:
            self._pause.wait(LOOK_AGAIN_SECONDS)
