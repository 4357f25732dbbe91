"""Running a router for the length of a `with` block, and waiting for what it does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..clock import MONOTONIC
from ..errors import reason_of
from ..running.router import Router

SHORTEST_PAUSE, LONGEST_PAUSE = 0.002, 0.1
"""Seconds between two looks of `eventually`."""
SHARE_OF_WAIT = 0.05
"""A pause is this part of the time waited so far: looks that ask a broker would else take its time from what they wait for."""


@contextmanager
def running(router: Router) -> Iterator[Router]:
    """Start *router*, and close it at the end of the block, which then raises what a handler has failed with.

    That is what the close raises, such as a halt, or else what was raised for a message that still waits to be delivered again.
    What a retry has mended or a poison sink has taken is no failure. When the block itself fails, so it does, with a note
    that says what each handler has failed with.
    """
    router.start()
    try:
        yield router
    except BaseException as error:
        for name, failure in _failures(router).items():
            error.add_note(f"handler {name!r} has failed with {reason_of(failure)}")
        router.request_close()
        raise
    router.close()
    for failure in _failures(router).values():
        raise failure


def _failures(router: Router) -> dict[str, Exception]:
    handlers = router.handlers.values()
    return {handler.name: handler.failure for handler in handlers if handler.failure is not None}


def eventually(condition: Callable[[], object], timeout: float = 10.0) -> bool:
    """Wait until *condition* holds; returns whether it did within *timeout* seconds. For what notifies nobody."""
    began = MONOTONIC.now()
    pause = threading.Event()
    while not condition():
        waited = MONOTONIC.now() - began
        if waited >= timeout:
            return False
        pause.wait(min(max(SHORTEST_PAUSE, SHARE_OF_WAIT * waited), LONGEST_PAUSE))
    return True
