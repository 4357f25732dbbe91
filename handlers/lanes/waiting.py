"""Waiting for a store that cannot be reached yet: a service starts before it, or while it is away."""

from __future__ import annotations

import threading
from collections.abc import Callable

from loguru import logger

from millstream.handlers.store import Store, StoreUnavailable

RETRY_SECONDS = 2.0
"""Between two tries, as between two INSERTs while a store is away."""


def open_patiently(open_it: Callable[[], Store], wait: Callable[[float], object] | None = None) -> Store:
    """Open a store, and wait as long as it cannot be reached; says so once. A signal ends the process meanwhile.

    Args:
        open_it: opens it; a `StoreUnavailable` means later, whatever else it raises is let through.
        wait: waits between two tries, for so many seconds.
    """
    wait = threading.Event().wait if wait is None else wait
    is_told = False
    while True:
        try:
            store = open_it()
        except StoreUnavailable as error:
            if not is_told:
                logger.bind(reason=str(error)).warning("store down: waiting for it before anything is consumed")
                is_told = True
            wait(RETRY_SECONDS)
        else:
            if is_told:
                logger.warning("store back")
            return store
