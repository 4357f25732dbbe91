"""How many messages of a batch are done, by the handler that they came to: a batcher may take several topics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from millstream.router.delivery.message import Assigned, Destination

from .rows import Rows


class DoneCounts:
    """Messages that are done, until the sinks are told: each of its own handler's, before it is told of one that failed.

    Args:
        owner: who has processed them.
    """

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self._counts: Counter[str] = Counter()
        self._routes: dict[str, Destination] = {}

    def add(self, assignment: Assigned | None, count: int = 1) -> None:
        """Count *count* messages that came by *assignment*."""
        route = None if assignment is None else assignment.route
        if route is not None:
            self._routes[route.handler] = route
            self._counts[route.handler] += count

    def add_all(self, rows: Rows, assignments: Sequence[Assigned]) -> None:
        """Count all of *rows*, which came by *assignments*; mostly they are of one handler, and no look at each is needed."""
        if len({each.route.handler for each in assignments if each.route is not None}) <= 1:
            self.add(next((each for each in assignments if each.route is not None), None), len(rows))
            return
        for assignment, count in rows.counts():
            self.add(assignment, count)

    def tell(self, assignment: Assigned | None) -> None:
        """Tell the sink of the handler of *assignment*, of which a message is about to fail, of those of its own."""
        if assignment is not None and assignment.route is not None:
            self._tell(assignment.route.handler)

    def tell_all(self) -> None:
        """Tell every sink of what is left."""
        for handler in list(self._counts):
            self._tell(handler)

    def _tell(self, handler: str) -> None:
        if count := self._counts.pop(handler, 0):
            self._routes[handler].count_done(self._owner, count)
