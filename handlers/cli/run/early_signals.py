"""What a signal does before there is a router that it could close: while the store is waited for, or brokers are asked."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

from loguru import logger

from millstream.router import ExitCode, ForcedExit

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class EarlyEnd(BaseException):
    """The first signal came before the router listened. No Exception: nothing on the way takes it for a failure."""

    def __init__(self, signum: int) -> None:
        self.signum = signum
        super().__init__(signum)


@contextlib.contextmanager
def ends_in_order(code: ExitCode) -> Iterator[None]:
    """End the body, and the command with *code*, at the first SIGINT or SIGTERM; a second one ends it with `ForcedExit`.

    Main thread only. Whoever listens to signals inside the body, as a router does that is started, hears them instead. Heeds
    also an interrupt that a shell without job control had ignored, as the router does.

    Raises:
        SystemExit: with *code*, once the body was left.
    """
    process, is_told = os.getpid(), False

    def on_signal(signum: int, _frame: FrameType | None) -> None:
        nonlocal is_told
        if os.getpid() != process:  # a forked child has nothing to close
            signal.signal(signum, signal.SIG_DFL)
            os.kill(os.getpid(), signum)
            return
        if is_told:
            raise ForcedExit(signum)
        is_told = True
        raise EarlyEnd(signum)

    earlier = {each: signal.signal(each, on_signal) for each in SIGNALS}
    try:
        yield
    except EarlyEnd as end:
        name = signal.Signals(end.signum).name
        logger.bind(signal=name).info("ended by a signal before anything was consumed")
        raise SystemExit(code) from None
    finally:
        for each, handler in earlier.items():
            if signal.getsignal(each) is on_signal:  # else a router has taken its place
                signal.signal(each, signal.SIG_DFL if handler is None else handler)
