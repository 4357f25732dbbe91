"""Which rows go into the next INSERT, and under which token: decisions only, no store, no clock.

A batch is a row of units, each at a *position*. A part is a run of positions that is sent as one INSERT. The rules:

- a token names exactly one row of bytes: a part that is cut, or sent in rewritten form, gets a token of its own;
- a part is replaced by smaller ones only if it was never sent, or the store has proven that nothing of it was stored;
- a part whose last attempt may have been stored is sent again as it is, until the store says what became of it;
- parts are sent from left to right, and what is stored is never sent again.
"""

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from .errors import DataError, ShapeError

LONG_ROW = 8
"""Units refused one after the other, none stored between: the next is likely bad as well, and to send it alone costs one small
INSERT, where the whole part costs two, one of them as large as the part."""


class Part(msgspec.Struct, kw_only=True):
    """The positions *first* to *last*, both included, to be sent as one INSERT.

    Args:
        token: names these rows, in this order and form.
        is_rewritten: whether its units are sent in their canonical form.
        is_unknown: whether an attempt may have been stored.
        is_in_table: whether one was, at least in part, and a view or a shard failed on it.
        is_suspect: whether it is one unit that the store has pointed at.
    """

    first: int
    last: int
    token: str
    is_rewritten: bool = False
    is_unknown: bool = False
    is_in_table: bool = False
    is_suspect: bool = False


class PartLedger:
    """Says which part is next and is told what became of it. Not thread-safe.

    Args:
        token: drawn for the whole batch.
        runs: the parts to begin with, each as first and last position; a single one carries *token* itself.
        can_rewrite: whether units have a canonical form to try before any is blamed.
    """

    def __init__(self, token: str, runs: Sequence[tuple[int, int]], *, can_rewrite: bool) -> None:
        self._token = token
        self._can_rewrite = can_rewrite
        self._trusts_hints = True
        self._refused_in_a_row = 0
        self._parts: deque[Part] = deque()
        if len(runs) == 1:
            self._parts.append(Part(first=runs[0][0], last=runs[0][1], token=token))
        else:
            self._put_first([self._part(first, last) for first, last in runs])
        self.refused: dict[int, DataError] = {}
        """Why the store refused a unit, by its position."""
        self.stored = 0
        """How many units are known to be stored."""

    def next_part(self) -> Part | None:
        """Return the part to send now, the same one until its outcome was told; None when all is done."""
        return self._parts[0] if self._parts else None

    def mark_stored(self) -> None:
        """The part is stored."""
        part = self._parts.popleft()
        self._refused_in_a_row = 0
        self.stored += part.last - part.first + 1
        if part.is_suspect:
            # The rows the store counts are not the lines we count: its hints would lead nowhere.
            self._trusts_hints = False

    def mark_unknown(self) -> None:
        """The part may have been stored: it stays as it is, and is sent again."""
        self._parts[0].is_unknown = True

    def mark_in_table(self) -> None:
        """The part is in the table, but not in a view of it, or not in one shard: it stays as it is, and is sent again for the
        sake of that one.
        """
        self._parts[0].is_unknown = self._parts[0].is_in_table = True

    def mark_bad_data(self, error: DataError, suspect: int | None = None) -> bool:
        """The store has refused the part because of its data; return False if it must be sent again as it is all the same.

        Args:
            suspect: the position the store pointed at, if it did.
        """
        if self._parts[0].is_in_table:
            return False
        part = self._parts.popleft()
        if self._can_rewrite and not part.is_rewritten:
            self._put_first([self._part(part.first, part.last, is_rewritten=True)])
        elif part.first == part.last:
            self.refused[part.first] = error
            self._refused_in_a_row += 1
            if self._refused_in_a_row >= LONG_ROW:
                self._single_out_next()
        elif suspect is not None and self._trusts_hints and part.first <= suspect <= part.last:
            self._put_first(self._around(part, suspect))
        else:
            self._put_first(self._halves(part))
        return True

    def mark_bad_shape(self, error: ShapeError) -> bool:
        """The store has refused the part as a whole; return False if it must be sent again as it is all the same."""
        if self._parts[0].is_unknown:
            return False
        part = self._parts.popleft()
        if part.first == part.last:
            self.refused[part.first] = DataError(error.reason, code=error.code)
        else:
            self._put_first(self._halves(part))
        return True

    def halve_next(self) -> None:
        """Cut the next part in two, if it can be cut."""
        if self._can_cut_next:
            self._put_first(self._halves(self._parts.popleft()))

    def _single_out_next(self) -> None:
        if self._can_cut_next:
            part = self._parts.popleft()
            runs = ((part.first, part.first), (part.first + 1, part.last))
            self._put_first([self._part(first, last, is_rewritten=part.is_rewritten) for first, last in runs])

    @property
    def _can_cut_next(self) -> bool:
        """One that may have been stored, and one unit, stay as they are."""
        return bool(self._parts) and not self._parts[0].is_unknown and self._parts[0].first < self._parts[0].last

    def _part(self, first: int, last: int, *, is_rewritten: bool = False, is_suspect: bool = False) -> Part:
        # Two parts never cover the same run in the same form, so run and form make the token unique.
        token = f"{self._token}/{first}-{last}{'r' if is_rewritten else ''}"
        return Part(first=first, last=last, token=token, is_rewritten=is_rewritten, is_suspect=is_suspect)

    def _halves(self, part: Part) -> list[Part]:
        middle = (part.first + part.last) // 2
        runs = ((part.first, middle), (middle + 1, part.last))
        return [self._part(first, last, is_rewritten=part.is_rewritten) for first, last in runs]

    def _around(self, part: Part, suspect: int) -> list[Part]:
        runs = ((part.first, suspect - 1), (suspect, suspect), (suspect + 1, part.last))
        return [
            self._part(first, last, is_rewritten=part.is_rewritten, is_suspect=first == last == suspect)
            for first, last in runs
            if first <= last
        ]

    def _put_first(self, parts: Iterable[Part]) -> None:
        self._parts.extendleft(reversed(list(parts)))


def cut_by_day(days: Sequence[int], max_partitions: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Cut a batch into as few runs as possible that touch at most *max_partitions* days each.

    Returns:
        The units' indexes in the order of their days (of their arrival within a day), and the runs of that order.
    """
    order = sorted(range(len(days)), key=days.__getitem__)
    runs: list[tuple[int, int]] = []
    first, distinct = 0, 0
    for position, index in enumerate(order):
        is_new_day = position == 0 or days[index] != days[order[position - 1]]
        if is_new_day and distinct == max_partitions:
            runs.append((first, position - 1))
            first, distinct = position, 0
        distinct += is_new_day
    if order:
        runs.append((first, len(order) - 1))
    return order, runs
