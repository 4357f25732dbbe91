"""The rows of a batch: fixed, in a fixed order, some of them in runs whose messages nobody has looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

from millstream.router.delivery.message import Assigned

from .batch_message import BatchMessage
from .batch_run import BatchRun

Row = BatchMessage | BatchRun


class Rows(Sequence[BatchMessage]):
    """A sequence of batch messages. Whoever looks at one of them divides its run; `items`, `payloads` and `release` do not.

    For one thread at a time.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows = list(rows)
        self._count = sum([row.count if isinstance(row, BatchRun) else 1 for row in self._rows])
        self._is_divided = self._count == len(self._rows) and not any(isinstance(row, BatchRun) for row in self._rows)

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
        if not self._is_divided:
            messages: list[BatchMessage] = []
            for row in self._rows:
                messages += row.divide() if isinstance(row, BatchRun) else (row,)
            self._rows[:] = messages
            self._is_divided = True
        return self._rows  # type: ignore[return-value] # there is no run left in it

    def items(self) -> list[Any]:
        """Return what each was parsed into."""
        items: list[Any] = []
        for row in self._rows:
            items += row.items if isinstance(row, BatchRun) else (row.item,)
        return items

    def payloads(self) -> list[bytes]:
        """Return the bytes that each came as."""
        payloads: list[bytes] = []
        for row in self._rows:
            payloads += row.run.payloads if isinstance(row, BatchRun) else (row.payload,)
        return payloads

    def parts(self) -> Iterator[tuple[Sequence[Any], list[bytes]]]:
        """Yield the items and payloads of each run by itself, and of what stands between runs together."""
        items: list[Any] = []
        payloads: list[bytes] = []
        for row in self._rows:
            if not isinstance(row, BatchRun):
                items.append(row.item)
                payloads.append(row.payload)
                continue
            if items:
                yield items, payloads
                items, payloads = [], []
            yield row.items, row.run.payloads
        if items:
            yield items, payloads

    def assignments(self) -> list[Assigned]:
        """Return the assignments that they came by, each once; none for messages of no subscription."""
        found = {id(each): each for row in self._rows if (each := _assignment_of(row)) is not None}
        return list(found.values())

    @property
    def first_assignment(self) -> Assigned | None:
        """The assignment of the first."""
        return _assignment_of(self._rows[0])

    @property
    def last_assignment(self) -> Assigned | None:
        """The assignment of the last."""
        return _assignment_of(self._rows[-1])

    def release(self, owner: object) -> None:
        """Release the hold of *owner* on each."""
        for row in self._rows:
            if isinstance(row, BatchRun):
                row.run.delivery.release(owner)
            else:
                row.message.delivery.release(owner, row.index)

    @property
    def is_void(self) -> bool:
        """Whether nobody waits for any of them any more."""
        return all(_is_void(row) for row in self._rows)

    def without_void(self) -> list[Row]:
        """Return those that somebody waits for."""
        return [row for row in self._rows if not _is_void(row)]


def _assignment_of(row: Row) -> Assigned | None:
    return row.run.assignment if isinstance(row, BatchRun) else row.message.assignment


def _is_void(row: Row) -> bool:
    return row.is_void if isinstance(row, BatchRun) else row.message.is_void
