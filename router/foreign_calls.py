"""Calls into foreign code that nobody can end, such as an INSERT of an embedded engine, and how a process ends in spite of them.

On its way out a process tears down what such a call stands on, and dies of a segmentation fault: a supervisor would see that
instead of the exit code.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_in_hand = 0


@contextlib.contextmanager
def foreign_call() -> Iterator[None]:
    """Count the block as a call that the end of the process must leave alone. Any thread."""
    _add(1)
    try:
        yield
    finally:
        _add(-1)


def leave_if_calling(code: int) -> None:
    """End the process with *code* here and now where such a call is in hand: nothing is unwound, and no exit handler runs.

    Else do nothing. What was printed is flushed.
    """
    if not _in_hand:
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, full, or none at all
            stream.flush()
    os._exit(code)


def _add(count: int) -> None:
    global _in_hand  # a process has one end
    with _lock:
        _in_hand += count
