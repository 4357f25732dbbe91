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
CLOSE_SECONDS = 2.0
"""How long the close of a router is waited for once the block has failed: enough for any that is not stuck."""


@contextmanager
def running(router: Router) -> Iterator[Router]:
    """Start *router*, and close it at the end of the block, which then raises what a handler has failed with.

    That is what the close raises, such as a halt, or else what was raised for a message that still waits to be delivered again.
    What a retry has mended or a poison sink has taken is no failure. When the block itself fails, so it does, with notes that
    say what the router knows: what each handler has failed with or set a message aside for, what keeps a worker or a poison
    sink from its work, and what the close has raised, within 2 s.
    """
    router.start()
    try:
        yield router
    except BaseException as error:
        for note in [*_known_to(router), *_ending_of(router, error), *_set_aside_by(router)]:
            error.add_note(note)
        raise
    router.close()
    for failure in _failures(router).values():
        raise failure


def _failures(router: Router) -> dict[str, Exception]:
    handlers = router.handlers.values()
    return {handler.name: handler.failure for handler in handlers if handler.failure is not None}


def _known_to(router: Router) -> Iterator[str]:
    for name, failure in _failures(router).items():
        yield f"handler {name!r} has failed with {reason_of(failure)}"
    for name, text in router.last_errors.items():
        yield f"worker {name!r} has failed with {text}"


def _ending_of(router: Router, own: BaseException) -> Iterator[str]:
    """Close, and say how that went; *own* is known already."""
    router.request_close()
    try:
        if not router.wait_closed(CLOSE_SECONDS):
            yield f"the router has not closed within {CLOSE_SECONDS:g} s"
    except BaseException as error:  # noqa: BLE001 - whatever has stopped it
        if error is not own:
            yield f"the router has ended with {reason_of(error)}"


def _set_aside_by(router: Router) -> Iterator[str]:
    for handler in router.handlers.values():
        if handler.last_poisoned:
            yield f"handler {handler.name!r} has poisoned {handler.poisoned}, the last for {handler.last_poisoned}"


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
