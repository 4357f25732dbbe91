"""Running a router for the length of a `with` block, and waiting for what it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..clock import MONOTONIC
from ..running.router import Router

LOOK_AGAIN_SECONDS = 0.002
"""Between looks of `eventually`: short beside a test, long beside what is looked at."""


@contextmanager
def running(router: Router) -> Iterator[Router]:
    """Start *router*, and close it at the end of the block; raises what the close raises, unless the block itself failed."""
    router.start()
    try:
        yield router
    except BaseException:
        router.request_close()
        raise
    router.close()


def eventually(condition: Callable[[], object], timeout: float = 10.0) -> bool:
    """Wait until *condition* holds; returns whether it did within *timeout* seconds. For what notifies nobody."""
    deadline = MONOTONIC.now() + timeout
    pause = threading.Event()
    while not condition():
        if MONOTONIC.now() >= deadline:
            return False
        pause.wait(LOOK_AGAIN_SECONDS)
    return True
