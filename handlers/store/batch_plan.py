"""The way of one batch of messages into a table, with an outcome for each message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import CellType

from loguru import logger

from millstream.handlers.batching import Batch, BatchResult
from millstream.router.callables import code_of

from .batch_rows import BatchRows, Line
from .insert_plan import InsertPlan


class BatchPlan:
    """What a table keeps with a batch until all attempts on it are over: rows made once, and how far they have come.

    It knows no batch, which knows it: messages are freed at once, without the garbage collector.

    Args:
        rows: what the messages of the batch became.
        plan: sends their units.
        line: what made them.
        table: the name for the log.
    """

    def __init__(self, rows: BatchRows, plan: InsertPlan, line: Line, table: str) -> None:
        self.plan = plan
        self._places = rows.places
        self._failures = rows.failures
        self._line = line
        self._table = table
        self.left: set[int] = set()
        """The places that the last attempt has left."""
        self._told: set[int] = set()
        """The places of those that became no unit, and were reported."""
        self._attempt = 0
        """Which attempt on the batch has run last."""
        self._has_result = False
        """Whether that has come to a result."""

    def has_line(self, line: Line, attempt: int) -> bool:
        """Whether *line* is the one that its rows are from.

        Made anew for another attempt it still is, whatever it refers to by then: its rows were made once. Within one attempt
        it is where it refers to the same objects: two of one factory make other rows.
        """
        if line == self._line:
            return True
        if _code(line) is None or _code(line) != _code(self._line):
            return False
        is_again = attempt != self._attempt or not self._has_result
        return is_again or _has_same_objects(line, self._line)

    def run(self, batch: Batch, line: Line) -> BatchResult:
        """Send what is not yet known to be stored, and tell *batch* between cycles what became of its messages so far.

        Args:
            line: what this attempt has given.

        Raises what `InsertPlan.run` raises.
        """
        self._line, self._attempt, self._has_result = line, batch.attempts, False
        result = self._run(batch)
        self._has_result = True
        return result

    def _run(self, batch: Batch) -> BatchResult:
        sent = self.plan.run(lambda: self._end_cycle(batch), batch.is_late)
        if not self._failures:
            return sent
        places, failures = self._places, dict[int, BaseException](self._failures)
        left = {places[index] for index in sent.left}
        if left:
            # The sink takes nothing more: what it was not told of by now stays open, like what was not sent.
            left.update(set(failures) - self._told)
            failures = {place: failures[place] for place in self._told}
        failures.update((places[index], error) for index, error in sent.failures.items())
        return BatchResult(done=[places[index] for index in sent.done], failures=failures, left=left)

    def _end_cycle(self, batch: Batch) -> bool:
        inserts, refused = self.plan.inserts, len(self.plan.refused)
        if not batch.is_late():
            text = "isolating refused rows takes long: {refused} so far, in {inserts} INSERTs into {table}"
            logger.warning(text, table=self._table, inserts=inserts, refused=refused)
        return batch.report(self._news())

    def _news(self) -> Iterator[tuple[int, BaseException | None]]:
        """Tell outcomes in the order of sending; of what became no unit before the next that did: it counts where it stands."""
        for index, error in self.plan.news():
            place = self._places[index]
            for earlier in range(self._places[index - 1] + 1 if index else 0, place):
                self._told.add(earlier)
                yield earlier, self._failures[earlier]
            yield place, error


def _code(line: Callable[..., bytes]) -> object:
    return getattr(code_of(line), "__code__", None)


def _has_same_objects(line: Callable[..., bytes], other: Callable[..., bytes]) -> bool:
    mine, theirs = _objects_of(line), _objects_of(other)
    return len(mine) == len(theirs) and all(one is another for one, another in zip(mine, theirs, strict=True))


def _objects_of(line: Callable[..., bytes]) -> list[object]:
    """Return what *line* refers to beside its code: of a closure, as defaults, as arguments of a partial, and its instance."""
    found: list[object] = []
    while isinstance(line, partial):
        found += [*line.args, *line.keywords, *line.keywords.values()]
        line = line.func
    function = code_of(line)
    defaults, named = getattr(function, "__defaults__", None), getattr(function, "__kwdefaults__", None)
    found += [*(defaults or ()), *(named or {}).values(), getattr(function, "__self__", None)]
    return found + [_content_of(cell) for cell in getattr(function, "__closure__", None) or ()]


def _content_of(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return cell
