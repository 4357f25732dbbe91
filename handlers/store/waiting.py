"""Waiting for a store that cannot be reached yet: a service starts before it, or while it is away."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TypeVar

from loguru import logger

from millstream.router import MONOTONIC, Clock

from .errors import StoreUnavailable

RETRY_SECONDS = 2.0
"""Between two tries, as between two INSERTs while a store is away."""

Opened = TypeVar("Opened")


def open_patiently(
    open_it: Callable[[], Opened],
    pause: Callable[[float], object] | None = None,
    *,
    within: float = math.inf,
    clock: Clock = MONOTONIC,
) -> Opened:
    """Open what stands on a store, and wait while it cannot be reached; says so once.

    Args:
        open_it: opens it, and closes what it had opened before it raises; a `StoreUnavailable` means later, whatever else it
            raises is let through.
        pause: waits between two tries, for so many seconds.
        within: seconds to wait in all.
        clock: tells the time.

    Raises:
        StoreUnavailable: it cannot be reached after *within* seconds.
    """
    pause = threading.Event().wait if pause is None else pause
    deadline = clock.now() + within
    is_told = False
    while True:
        try:
            opened = open_it()
        except StoreUnavailable as error:
            left = deadline - clock.now()
            if left <= 0:
                raise
            if not is_told:
                logger.warning("store down: waiting for it before anything is consumed: {reason}", reason=str(error))
                is_told = True
            pause(min(RETRY_SECONDS, left))
        else:
            if is_told:
                logger.warning("store back")
            return opened
