"""What several batchers may keep in memory together, and what each of them may for certain."""

from __future__ import annotations

import threading

from millstream.router import ConfigurationError

RESERVES = 8
"""The budget is as many reserves: with the four lanes of a service half of it is anybody's."""
PIECES = 48
"""The budget is as many pieces, in which the rest is lent: of 48 MiB one is 1 MiB, some 3,500 messages for a turn at its lock."""


class Budget:
    """Bytes that batchers share. An eighth is the reserve of each, so that one which cannot store leaves the others some; the
    rest is lent to whoever needs it, in pieces. Thread-safe.

    Args:
        size_bytes: of all together.

    Raises:
        ConfigurationError: that is less than 1.

    Example:
        >>> budget = Budget(32 * 1024 * 1024)
        >>> orders = MessageBatcher(BatchConfig(), print, name="orders", budget=budget)
        >>> returns = MessageBatcher(BatchConfig(), print, name="returns", budget=budget)
    """

    def __init__(self, size_bytes: int) -> None:
        if size_bytes < 1:
            raise ConfigurationError(f"size_bytes of a budget must be at least 1, not {size_bytes}")
        self._lock = threading.Lock()
        self._free = size_bytes
        self._reserve = max(1, size_bytes // RESERVES)
        self._piece = max(1, size_bytes // PIECES)

    def join(self) -> int:
        """Return the reserve of one more batcher: from the ninth on there may be none, and one goes by what it can borrow."""
        return self._take(self._reserve)

    def borrow(self) -> int:
        """Lend a piece; returns its bytes, 0 when there is nothing left."""
        return self._take(self._piece)

    def _take(self, most: int) -> int:
        with self._lock:
            taken = min(most, self._free)
            self._free -= taken
            return taken

    def give_back(self, size_bytes: int) -> None:
        """Take back what was borrowed and is not needed any more."""
        with self._lock:
            self._free += size_bytes

    @property
    def free(self) -> int:
        """Bytes that can be borrowed now."""
        return self._free
