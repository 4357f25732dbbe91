"""Closing the router when the process is told to end."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from types import FrameType
from typing import Any

from loguru import logger

from .router import Router


class ForcedExit(SystemExit):
    """A second signal: raised in the main thread after what is durable was committed; the process ends with 128 + its number."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(128 + signum)


class SignalsHandler:
    """A router plugin: the first SIGINT or SIGTERM closes the router in order, a second one ends it at once.

    Must be started from the main thread, where Python delivers signals. Call `restore` to get the earlier handlers back.

    Args:
        signals: which to listen to.
    """

    def __init__(self, signals: Iterable[signal.Signals] = (signal.SIGINT, signal.SIGTERM)) -> None:
        self._signals = tuple(signals)
        self._earlier: dict[signal.Signals, Any] = {}
        self._router: Router | None = None
        self._count = 0

    def __call__(self, router: Router) -> None:
        """Begin to listen for *router*."""
        self._router = router
        self._count = 0
        for each in self._signals:
            self._earlier[each] = signal.signal(each, self._handle)

    @property
    def received(self) -> int:
        """Signals received so far."""
        return self._count

    def _handle(self, signum: int, _frame: FrameType | None) -> None:
        self._count += 1
        if self._router is None:
            return
        # Act first: a signal may come while this very thread is inside the logger, which then refuses.
        name = signal.Signals(signum).name
        if self._count == 1:
            self._router.request_close()
            logger.bind(signal=name).info("closing on a signal")
            return
        self._router.abort()
        logger.bind(signal=name).warning("second signal: no flush, what is not stored comes again")
        raise ForcedExit(signum)

    def restore(self) -> None:
        """Stop listening and put the earlier handlers back."""
        for each, earlier in self._earlier.items():
            signal.signal(each, earlier)
        self._earlier.clear()
