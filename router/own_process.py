"""A forked child owns nothing: threads and connections stay with the process that made them."""

from __future__ import annotations

import os

from .errors import StateError


class OwnProcess:
    """Remembers the process that it was made in.

    Args:
        what: is made with it, such as `Kafka publisher`.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._process = os.getpid()

    @property
    def is_this(self) -> bool:
        """Whether it is the process that asks."""
        return os.getpid() == self._process

    def require(self, instead: str) -> None:
        """Raise StateError in any other process, with what to do *instead* there."""
        if not self.is_this:
            raise StateError(
                f"the {self._what} was made in process {self._process} and cannot work in process {os.getpid()}: its threads "
                f"and connections did not come along in the fork; {instead}"
            )
