"""What a user's own code gets wrong, told with its traceback: once for each place, as each message there would bring it again."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from types import TracebackType

from loguru import logger

from ..errors import MillstreamError, RecoveredPanicError, reason_of
from .message import Message

MAX_PLACES = 100
"""Told for one handler; code that fails in more places than that has been shown enough of them."""


class Mistakes:
    """Tells of errors that nobody has planned for: neither ours, which say themselves what to do, nor the system's. Thread-safe.

    Args:
        name: whose code it is: a handler, or a batcher.
        limit: how many are told.
    """

    def __init__(self, name: str, *, limit: int = MAX_PLACES) -> None:
        self._name = name
        self._limit = limit
        self._lock = threading.Lock()
        self._told: set[Hashable] = set()

    def tell(self, error: BaseException) -> None:
        """Log *error* with its traceback, where it is a mistake that was not told yet; of a panic, what was raised."""
        if isinstance(error, RecoveredPanicError):
            error = error.value
        if isinstance(error, MillstreamError | OSError) or error.__traceback__ is None:
            return
        place = (type(error), *_frames_of(error.__traceback__))
        with self._lock:
            if place in self._told or len(self._told) >= self._limit:
                return
            self._told.add(place)
        text = "{name} failed in its own code, told in full this once: {error}"
        logger.opt(exception=error).error(text, name=self._name, error=reason_of(error))


def tell_mistake(message: Message, error: BaseException) -> None:
    """Tell of *error*, which the chain of *message* has raised, where it is a mistake of its handler's; see `Mistakes`."""
    assignment = message.assignment
    if assignment is not None and assignment.route is not None:
        assignment.route.tell_mistake(error)


def _frames_of(trace: TracebackType) -> list[tuple[str, int]]:
    """Return file and line of the user's frames; ours between them differ from the first attempt to the next."""
    ours: list[tuple[str, int]] = []
    others: list[tuple[str, int]] = []
    step: TracebackType | None = trace
    while step is not None:
        code, module = step.tb_frame.f_code, str(step.tb_frame.f_globals.get("__name__"))
        (ours if module.startswith("millstream.") else others).append((code.co_filename, step.tb_lineno))
        step = step.tb_next
    return others or ours
