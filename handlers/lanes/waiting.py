"""Waiting for a store that cannot be reached yet: a service starts before it, or while it is away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from loguru import logger

from millstream.handlers.store import StoreUnavailable

RETRY_SECONDS = 2.0
"""Between two tries, as between two INSERTs while a store is away."""

Opened = TypeVar("Opened")


def open_patiently(open_it: Callable[[], Opened], wait: Callable[[float], object] | None = None) -> Opened:
    """Open what stands on a store, and wait as long as it cannot be reached; says so once.

    Args:
        open_it: opens it, and closes what it had opened before it raises; a `StoreUnavailable` means later, whatever else it
            raises is let through.
        wait: waits between two tries, for so many seconds.
    """
    wait = threading.Event().wait if wait is None else wait
    is_told = False
    while True:
        try:
            opened = open_it()
        except StoreUnavailable as error:
            if not is_told:
                logger.warning("store down: waiting for it before anything is consumed: {reason}", reason=str(error))
                is_told = True
            wait(RETRY_SECONDS)
        else:
            if is_told:
                logger.warning("store back")
            return opened
