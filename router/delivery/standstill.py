"""Noticing that a commit stands still, and saying who keeps it back.

One message that is never settled keeps everything behind it uncommitted, until its partition is at its bound and nothing more is
read from it: by intention, as nothing may be lost, and hard to find, as nothing fails. So the owner is named.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger

from .offset_book import OffsetBook
from .run import Entry, first_offset
from .settlement import NACKED

LOOK_SECONDS = 0.5
"""Between looks: far below any limit that makes sense, and nothing beside what it looks at."""


class StandstillWatch:
    """Warns once of each message that has kept its partition's commit back for too long, and says when it goes on.

    For the thread that owns the books. Costs a comparison per partition, nothing per message.

    Args:
        seconds: how long one message may be the first that is not settled.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next_look = 0.0
        self._fronts: dict[int, _Front] = {}

    def look(self, books: Iterable[OffsetBook], now: float) -> None:
        """Look at *books*, all that there are; *now* in monotonic seconds."""
        if now < self._next_look:
            return
        self._next_look = now + min(LOOK_SECONDS, self._seconds)
        fronts: dict[int, _Front] = {}
        for book in books:
            front, oldest = self._fronts.get(id(book)), book.oldest
            if front is not None and oldest is not None and front.offset == first_offset(oldest):
                if not front.is_reported and now - front.since >= self._seconds:
                    front.is_reported = True
                    _warn(book, oldest, now - front.since)
                fronts[id(book)] = front
                continue
            if front is not None and front.is_reported:
                _say_it_goes_on(book, now - front.since)
            if oldest is not None:
                fronts[id(book)] = _Front(first_offset(oldest), now)
        self._fronts = fronts


class _Front:
    """The offset of the first unsettled message of a book and since when it has been that."""

    __slots__ = ("is_reported", "offset", "since")

    def __init__(self, offset: int, since: float) -> None:
        self.offset = offset
        self.since = since
        self.is_reported = False


def _warn(book: OffsetBook, oldest: Entry, seconds: float) -> None:
    place, offset = book.assignment, first_offset(oldest)
    state = "intake from it has stopped" if book.is_full else f"{book.pending} messages wait behind the commit"
    logger.bind(topic=place.topic, partition=place.partition, offset=offset, pending=book.pending).warning(
        "the commit of {}[{}] has stood still at offset {} for {:.1f} s: {}; {}",
        place.topic,
        place.partition,
        offset,
        seconds,
        keeper_of(oldest),
        state,
    )


def _say_it_goes_on(book: OffsetBook, seconds: float) -> None:
    place = book.assignment
    logger.bind(topic=place.topic, partition=place.partition).info(
        "the commit of {}[{}] goes on after {:.1f} s", place.topic, place.partition, seconds
    )


def keeper_of(entry: Entry) -> str:
    """Return who or what keeps *entry* from being settled, for people."""
    route, delivery = None if entry.assignment is None else entry.assignment.route, entry.delivery
    handler, times = "its handler" if route is None else f"handler {route.handler!r}", delivery.redeliveries
    if delivery.is_running:
        return (
            f"{handler} has failed {times} times, and has it again now or soon"
            if times
            else f"{handler} has not returned"
        )
    owners = delivery.owners
    if owners:
        return "held by " + ", ".join(sorted({owner_name(owner) for owner in owners}))
    if delivery.failures:
        return "its poison record is not confirmed"
    if times or delivery.verdict == NACKED:
        return f"{handler} has failed {times + (delivery.verdict == NACKED)} times, it is delivered again"
    return "not yet acked" if route is None else f"not yet handled by {handler}"


def owner_name(owner: object) -> str:
    """Return what to call the owner of a hold: its name if it has one, itself if it is a text, else its type."""
    if isinstance(owner, str):
        return owner
    for name in (getattr(owner, "name", None), getattr(owner, "__qualname__", None)):
        if isinstance(name, str) and name:
            return name
    return type(owner).__qualname__
