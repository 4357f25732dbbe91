"""Which routers use a publisher: the last of them closes it.

Routers may share one, and each closes what it was given: the first to end would take it away from the others, whose next publish
then halts them. A claim lasts from the moment a handler is added until its router has closed, or is forgotten unused.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable

_lock = threading.Lock()
_all: weakref.WeakSet[Claims] = weakref.WeakSet()


class Claims:
    """What one router uses. Thread-safe."""

    def __init__(self) -> None:
        self._claimed: list[object] = []
        """Compared by identity: whether two publishers are equal is their own affair."""

    def add(self, neighbours: Iterable[object]) -> None:
        """Claim *neighbours*; `None` is nobody."""
        with _lock:
            self._claimed += [each for each in neighbours if each is not None]
            _all.add(self)

    def give_up(self) -> list[object]:
        """Give up all claims; returns what others still claim, which is theirs to close."""
        with _lock:
            _all.discard(self)
            return [each for other in _all for each in other._claimed]
