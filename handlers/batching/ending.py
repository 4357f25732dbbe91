"""When a batch that takes long is to come to its end: its batcher closes, or all of its partitions go to others."""

from __future__ import annotations

import math
from collections.abc import Sequence

from millstream.router import Assignment, Clock
from millstream.router.delivery.message import Assigned

from .batch import Batch

LAST_SECONDS, LAST_SHARE = 5.0, 0.25
"""What a batch in trouble leaves of the time that there is, for what is still to be done about those of its messages that are
through: so many seconds, and at most this part of that time."""


class Ending:
    """What a batcher was told of its end, and of that of its partitions. From any thread.

    Args:
        clock: what tells the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._closes_at = math.inf
        self._leaves_at: dict[Assigned, float] = {}
        self.given_up: frozenset[Assigned] = frozenset()
        """Of those that go, whose messages are left to others: what is stored behind these could not be committed."""

    def close_by(self, deadline: float) -> None:
        """Take note that the batcher closes, and has until *deadline*: a batch in trouble ends a little before that."""
        self._closes_at = self._before(deadline)

    def leave_by(self, assignments: Sequence[Assignment], deadline: float) -> None:
        """Take note that those of *assignments* that are closing are gone at *deadline*: what is through by then is committed."""
        leaving = dict.fromkeys([each for each in assignments if each.is_closing], self._before(deadline))
        self._leaves_at = {each: at for each, at in self._leaves_at.items() if not each.is_closed} | leaving

    def _before(self, deadline: float) -> float:
        return deadline - min(LAST_SECONDS, LAST_SHARE * (deadline - self._clock.now()))

    @property
    def is_near(self) -> bool:
        """Whether the time to close is nearly over."""
        return self._clock.now() >= self._closes_at

    def is_left_to_others(self, batch: Batch) -> bool:
        """Whether every partition of *batch* has gone or is about to: whoever has it next reads what is not done by now.

        One that stays keeps the whole batch: what is left of it is nobody else's.
        """
        first = batch.rows.first_assignment
        if first is None or not first.is_closing:  # at once, as nearly always
            return False
        return all(each is not None and self._is_leaving(each) for each in batch.rows.stays())

    def give_up(self, batch: Batch) -> None:
        """Leave to others what is not done of *batch*, and what stands behind it."""
        self.given_up = frozenset(each for each in (*self.given_up, *batch.rows.assignments()) if not each.is_closed)

    def _is_leaving(self, assignment: Assigned) -> bool:
        return assignment.is_closed or self._clock.now() >= self._leaves_at.get(assignment, math.inf)
