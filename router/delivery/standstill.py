"""Noticing that a commit stands still, and saying who keeps it back.

One message that is never settled keeps everything behind it uncommitted, until its partition is at its bound and nothing more is
read from it: by intention, as nothing may be lost, and hard to find, as nothing fails. So the owner is named.
"""

from __future__ import annotations

from collections.abc import Iterable

from loguru import logger

from .message import Message
from .offset_book import OffsetBook

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
            front, message = self._fronts.get(id(book)), book.oldest
            if front is not None and front.message is message:
                if not front.is_reported and now - front.since >= self._seconds:
                    front.is_reported = True
                    _warn(book, front.message, now - front.since)
                fronts[id(book)] = front
                continue
            if front is not None and front.is_reported:
                _say_it_goes_on(book, now - front.since)
            if message is not None:
                fronts[id(book)] = _Front(message, now)
        self._fronts = fronts


class _Front:
    """The first unsettled message of a book and since when it has been that."""

    __slots__ = ("is_reported", "message", "since")

    def __init__(self, message: Message, since: float) -> None:
        self.message = message
        self.since = since
        self.is_reported = False


def _warn(book: OffsetBook, message: Message, seconds: float) -> None:
    place = book.assignment
    state = "intake from it has stopped" if book.is_full else f"{book.pending} messages wait behind the commit"
    logger.bind(topic=place.topic, partition=place.partition, offset=message.offset, pending=book.pending).warning(
        "the commit of {}[{}] has stood still at offset {} for {:.1f} s: {}; {}",
        place.topic,
        place.partition,
        message.offset,
        seconds,
        keeper_of(message),
        state,
    )


def _say_it_goes_on(book: OffsetBook, seconds: float) -> None:
    place = book.assignment
    logger.bind(topic=place.topic, partition=place.partition).info(
        "the commit of {}[{}] goes on after {:.1f} s", place.topic, place.partition, seconds
    )


def keeper_of(message: Message) -> str:
    """Return who or what keeps *message* from being settled, for people."""
    route = None if message.assignment is None else message.assignment.route
    handler = "its handler" if route is None else f"handler {route.handler!r}"
    if message.delivery.is_running:
        times = message.redeliveries
        return (
            f"{handler} has failed {times} times, and has it again now or soon"
            if times
            else f"{handler} has not returned"
        )
    owners = message.delivery.owners
    if owners:
        return "held by " + ", ".join(sorted({owner_name(owner) for owner in owners}))
    if message.failures:
        return "its poison record is not confirmed"
    if message.redeliveries or message.is_nacked:
        return f"{handler} has failed {message.redeliveries + message.is_nacked} times, it is delivered again"
    return "not yet acked" if route is None else f"not yet handled by {handler}"


def owner_name(owner: object) -> str:
    """Return what to call the owner of a hold: its name if it has one, itself if it is a text, else its type."""
    if isinstance(owner, str):
        return owner
    for name in (getattr(owner, "name", None), getattr(owner, "__qualname__", None)):
        if isinstance(name, str) and name:
            return name
    return type(owner).__qualname__
