"""Closing routers when the process is told to end.

Python has one handler per signal, and a process may have several routers: the one that is installed tells all who listen.
"""

from __future__ import annotations

import os
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

    Must be started from the main thread, where Python delivers signals. Several, and one of several routers, hear of the same
    signal. Call `restore` to stop listening; after the last one the earlier handlers are back. A forked child gets them back with
    its first signal, which is delivered to them: it has no router to close.

    Args:
        signals: which to listen to.

    Example:
        >>> router = Router()
        >>> router.add_plugin(SignalsHandler())  # before `router.run()`, which then ends at Ctrl-C
    """

    def __init__(self, signals: Iterable[signal.Signals] = (signal.SIGINT, signal.SIGTERM)) -> None:
        self._signals = tuple(signals)
        self._routers: list[Router] = []
        self._count = 0

    def __call__(self, router: Router) -> None:
        """Begin to listen for *router*."""
        self._routers = [each for each in self._routers if not each.is_closed] + [router]
        self._count = 0
        _switchboard.connect(self, self._signals)

    @property
    def received(self) -> int:
        """Signals received so far."""
        return self._count

    @property
    def has_ended(self) -> bool:
        """Whether every router that it listens for has closed."""
        return all(router.is_closed for router in self._routers)

    def hear(self, signum: int) -> bool:
        """Take note of a signal; returns whether it is to end the process at once. In the main thread."""
        self._count += 1
        # Act first: a signal may come while this very thread is inside the logger, which then refuses.
        name, is_first = signal.Signals(signum).name, self._count == 1
        for router in self._routers:
            # The router tells of it: what this very thread says while it is inside the logger is lost.
            router.request_close(signal=name) if is_first else router.abort()
        if not is_first:
            logger.warning("second signal ({signal}): no flush, what is not stored comes again", signal=name)
        return not is_first

    def restore(self) -> None:
        """Stop listening; the last one puts the earlier handlers back."""
        _switchboard.disconnect(self)


class _Switchboard:
    """Who listens to which signal in this process. In the main thread, as Python has it of `signal.signal`."""

    def __init__(self) -> None:
        self._process = os.getpid()
        self._listeners: dict[int, list[SignalsHandler]] = {}
        self._earlier: dict[int, Any] = {}

    def connect(self, listener: SignalsHandler, signals: Iterable[signal.Signals]) -> None:
        """Tell *listener* of *signals* from now on, and those no longer whose routers have closed."""
        if os.getpid() != self._process:  # those of the parent are not ours
            self._process = os.getpid()
            self._listeners = {}
        for each in signals:
            others = self._listeners.get(each, [])
            self._listeners[each] = [other for other in others if other is not listener and not other.has_ended]
            self._listeners[each].append(listener)
            current = signal.getsignal(each)
            if current != self._on_signal:
                self._earlier[each] = current
                signal.signal(each, self._on_signal)

    def disconnect(self, listener: SignalsHandler) -> None:
        """Tell *listener* nothing more."""
        for signum, listeners in list(self._listeners.items()):
            self._listeners[signum] = [other for other in listeners if other is not listener]
            if not self._listeners[signum]:
                del self._listeners[signum]
                self._put_back(signum)

    def _put_back(self, signum: int) -> None:
        earlier = self._earlier.pop(signum, None)
        if signal.getsignal(signum) == self._on_signal:  # else somebody has replaced ours since
            signal.signal(signum, signal.SIG_DFL if earlier is None else earlier)

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        if os.getpid() != self._process:
            # Also where somebody's handler stands on ours: it would call us again and again.
            signal.signal(signum, self._earlier.get(signum) or signal.SIG_DFL)
            os.kill(os.getpid(), signum)
            return
        answers = [listener.hear(signum) for listener in self._listeners.get(signum, [])]
        if any(answers):
            raise ForcedExit(signum)


_switchboard = _Switchboard()
