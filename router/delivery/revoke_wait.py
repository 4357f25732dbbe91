"""How long a revoke waits for what is held: a plain object, asked again and again by the thread that owns the books."""

from __future__ import annotations

from collections.abc import Sequence

from .assignment import Routing
from .offset_book import OffsetBook
from .run import Entry

USER_HOLD_SECONDS = 1.0
"""How long holds of the user's own count: nobody tells them to hurry, unlike a worker, which was asked to flush, or a poison
sink. Waiting longer would keep the whole group waiting for somebody who does not know of it."""


class RevokeWait:
    """Whether it is still worth waiting for *books* to settle.

    A book can only move on at its front. One that no chain has finished (never started, cancelled, waiting for a redelivery)
    will not settle here, and nothing behind it can be committed.

    Args:
        books: those of the partitions that go.
        began, deadline: of the wait, in monotonic seconds.
    """

    def __init__(self, books: Sequence[OffsetBook], began: float, deadline: float) -> None:
        self._books = books
        self._users_until = began + USER_HOLD_SECONDS
        self._deadline = deadline

    def is_over(self, now: float) -> bool:
        """Let settled messages go, and return whether nothing more need be waited for."""
        for book in self._books:
            book.advance()
        return self.looks_over(now)

    def looks_over(self, now: float) -> bool:
        """Return whether nothing more need be waited for, as the books stand. From any thread: their owner advances them."""
        return now >= self._deadline or not any(self._is_promising(book, now) for book in self._books)

    @property
    def is_drained(self) -> bool:
        """Whether no book could move on by more waiting."""
        return not any(book.may_settle for book in self._books)

    def _is_promising(self, book: OffsetBook, now: float) -> bool:
        front = book.oldest
        if front is None or not book.may_settle:
            return False
        return now < self._users_until or not _is_held_by_user(front, book.assignment.route)


def _is_held_by_user(entry: Entry, route: Routing | None) -> bool:
    """Tell whether anybody holds *entry* whom the revoke did not ask to finish: no worker of its *route*."""
    if entry.is_void:
        return False  # the poison sink has it, whoever else still holds it
    return any(route is None or not route.has_worker(owner) for owner in entry.delivery.owners)
