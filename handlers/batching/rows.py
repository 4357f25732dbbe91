"""The rows of a batch: fixed, in a fixed order, some of them in runs whose messages nobody has looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, cast, overload

from millstream.router.delivery.message import Assigned

from .batch_message import BatchMessage
from .batch_run import BatchRun

Row = BatchMessage | BatchRun
_Part = BatchRun | list[BatchMessage]


class Rows(Sequence[BatchMessage]):
    """A sequence of batch messages. Whoever looks at one of them divides its run; `items`, `payloads` and `release` do not.

    For one thread at a time.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._parts = _parts_of(list(rows))
        self._columns: list[tuple[Sequence[Any], list[bytes]]] | None = None
        self._count = sum([part.count if isinstance(part, BatchRun) else len(part) for part in self._parts])

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> BatchMessage: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[BatchMessage]: ...

    def __getitem__(self, place: int | slice) -> BatchMessage | Sequence[BatchMessage]:
        return self._messages()[place]

    def __iter__(self) -> Iterator[BatchMessage]:
        return iter(self._messages())

    def _messages(self) -> list[BatchMessage]:
        if len(self._parts) == 1 and isinstance(self._parts[0], list):
            return self._parts[0]
        messages: list[BatchMessage] = []
        for part in self._parts:
            messages += part.divide() if isinstance(part, BatchRun) else part
        self._parts, self._columns = [messages], None
        return messages

    def items(self) -> list[Any]:
        """Return what each was parsed into."""
        items: list[Any] = []
        for theirs, _ in self.parts():
            items += theirs
        return items

    def payloads(self) -> list[bytes]:
        """Return the bytes that each came as."""
        payloads: list[bytes] = []
        for _, theirs in self.parts():
            payloads += theirs
        return payloads

    def parts(self) -> list[tuple[Sequence[Any], list[bytes]]]:
        """Return the items and payloads of each run by itself, and of what stands between runs together."""
        if self._columns is None:
            self._columns = list(map(_columns_of, self._parts))
        return self._columns

    def assignments(self) -> list[Assigned]:
        """Return the assignments that they came by, each once; none for messages of no subscription."""
        found: dict[int, Assigned | None] = {}
        for part in self._parts:
            found |= (
                {id(part.run.assignment): part.run.assignment} if isinstance(part, BatchRun) else _assignments_of(part)
            )
        return [each for each in found.values() if each is not None]

    def stays(self) -> set[Assigned | None]:
        """Return the assignments that they came by; `None` among them where one is of no subscription."""
        return {each for part in self._parts for each in _stays_of(part)}

    @property
    def first_assignment(self) -> Assigned | None:
        """The assignment of the first."""
        part = self._parts[0]
        return part.run.assignment if isinstance(part, BatchRun) else part[0].message.assignment

    def counts(self) -> Iterator[tuple[Assigned | None, int]]:
        """Yield assignments with so many rows that came by them: one for each run, and for each row that is in none."""
        for part in self._parts:
            if isinstance(part, BatchRun):
                yield part.run.assignment, part.count
            else:
                yield from ((row.message.assignment, 1) for row in part)

    def release(self, owner: object) -> None:
        """Release the hold of *owner* on each."""
        for part in self._parts:
            if isinstance(part, BatchRun):
                part.run.delivery.release(owner)
            else:
                for row in part:
                    row.message.delivery.release(owner, row.index)

    @property
    def is_void(self) -> bool:
        """Whether nobody waits for any of them any more."""
        return all(
            part.is_void if isinstance(part, BatchRun) else all(row.message.is_void for row in part)
            for part in self._parts
        )

    def without_void(self, given_up: Collection[Assigned] = ()) -> list[Row]:
        """Return those that somebody waits for, but for those of assignments that were *given_up*."""
        kept: list[Row] = []
        for part in self._parts:
            if isinstance(part, BatchRun):
                kept += () if part.is_void else (part,)
            else:
                kept += _waited_for(part)
        return [row for row in kept if _assignment_of(row) not in given_up] if given_up else kept


def _columns_of(part: _Part) -> tuple[Sequence[Any], list[bytes]]:
    if isinstance(part, BatchRun):
        return part.items, part.run.payloads
    # Written out, as a call of `payload` for each would cost as much as all the rest.
    payloads = [row.message.payload if row.part is None else row.part for row in part]
    return [row.item for row in part], payloads


def _stays_of(part: _Part) -> Iterable[Assigned | None]:
    return [part.run.assignment] if isinstance(part, BatchRun) else _assignments_of(part).values()


def _assignment_of(row: Row) -> Assigned | None:
    return row.run.assignment if isinstance(row, BatchRun) else row.message.assignment


def _assignments_of(rows: list[BatchMessage]) -> dict[int, Assigned | None]:
    assignments = [row.message.assignment for row in rows]
    return dict(zip(map(id, assignments), assignments, strict=True))


def _waited_for(rows: list[BatchMessage]) -> list[BatchMessage]:
    # To ask each would cost several times as much, and mostly nothing has happened to any of them.
    if [row for row in rows if row.message.delivery.extra is not None] or any(
        each is not None and each.is_closed for each in _assignments_of(rows).values()
    ):
        return [row for row in rows if not row.message.is_void]
    return rows


def _parts_of(rows: list[Row]) -> list[_Part]:
    """Return the runs among *rows* by themselves, and what stands between them together."""
    if BatchRun not in set(map(type, rows)):
        return [cast("list[BatchMessage]", rows)] if rows else []
    parts: list[_Part] = []
    for kind, some in groupby(rows, type):
        theirs = list(some)
        parts += cast("list[_Part]", theirs if kind is BatchRun else [theirs])
    return parts
