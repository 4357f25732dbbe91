"""Where poison records are, as `list`, `show` and `replay` see it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from .records import PoisonRecord
from .sending_back import Back

Item = tuple[PoisonRecord, Back | None]
"""A record that is done with once its message, if it has one to send, is confirmed."""


class Outbox(Protocol):
    """Sends messages back, and notes that they are sent."""

    def send(self, items: Sequence[Item]) -> None:
        """Send all, and note all as done with, at once or nearly so; returns once that is confirmed.

        Raises:
            Refused: a topic does not take one of them; nothing was sent. It may be called with others.
            Fenced: another replay has taken over; nothing was sent.
            ConfigurationError: nothing more can be sent or noted.
            TransientError: no answer.
        """
        ...


class Source(Protocol):
    """A poison topic or file."""

    @property
    def name(self) -> str:
        """What the user calls it."""
        ...

    def look(self) -> None:
        """Note where it ends now, and what was replayed of it."""
        ...

    def read(self, is_stopped: Callable[[], bool]) -> Generator[Sequence[PoisonRecord]]:
        """Yield every record up to the end that was noted, in order within a partition."""
        ...

    def read_left(self, is_stopped: Callable[[], bool]) -> Generator[Sequence[PoisonRecord]]:
        """Do the same without what need not be looked at: some of what is yielded may have been replayed."""
        ...

    def outbox(self) -> AbstractContextManager[Outbox]:
        """Open what sends its messages back; whoever had done so before can send nothing any more."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
