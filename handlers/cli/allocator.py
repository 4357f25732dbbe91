"""The allocators of a process whose memory should stay where it is: libc's own, and that of the embedded engine."""

import ctypes
import os
import sys
from collections.abc import Callable

JEMALLOC = "dirty_decay_ms:0,muzzy_decay_ms:0"
"""Pages that were freed go back to the system at once. By default they wait for 5 s: over an ingest of a million events the
process then grew by 8 to 24% after its first fifth, instead of by 7% at most, and was 8% faster."""
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""What `mallopt` of glibc calls these."""
MALLOC = {MMAP_THRESHOLD: 32 * 1024 * 1024, TRIM_THRESHOLD: 128 * 1024 * 1024}
"""Bytes from which a block has pages of its own, new ones each time (older versions take no more), and free bytes at the end of a
heap that go back to the system. By default the bodies of the INSERTs and what is fetched are new pages again and again: a seventh
of the processor time of `millstream run`. Rows a second 1.04 times as many (0.97 to 1.08, eight alternating runs), resident
memory 344 MB instead of 326."""


def tune_allocator() -> None:
    """Set what libchdb's own jemalloc reads when it is loaded, and glibc's malloc; values of the user's are left alone.

    For the command line's own process, before a store is opened.
    """
    os.environ.setdefault("JE_MALLOC_CONF", JEMALLOC)
    is_theirs = "GLIBC_TUNABLES" in os.environ or any(name.startswith("MALLOC_") for name in os.environ)
    if sys.platform == "linux" and not is_theirs:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        if mallopt is not None:
            for option, size in MALLOC.items():
                mallopt(option, size)


def give_back() -> None:
    """Give what is free in glibc's heaps back to the system; elsewhere does nothing."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


class SpareMemory:
    """Gives back, once in each outage of the store, what the process had at full speed and does not need while it waits.

    Measured with a backlog of a million events (`make bench ARGS="-k bench_away"`): 356 MB became 261.

    Args:
        give_back: does it.
    """

    AFTER_SECONDS = 10.0
    """Of an outage: the retries of a batch take 7 by default, then intake stops and what was fetched ahead is let go."""

    def __init__(self, give_back: Callable[[], None] = give_back) -> None:
        self._give_back = give_back
        self._is_given_back = False

    def note(self, away: float) -> None:
        """Take note that the store has been away for *away* seconds; 0 where it is there."""
        is_long = away >= self.AFTER_SECONDS
        if is_long and not self._is_given_back:
            self._give_back()
        self._is_given_back = is_long
