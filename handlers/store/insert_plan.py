"""The way of one batch into its table: usually one INSERT, in trouble as many as it takes, each row once."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

from millstream.handlers.batching import BatchResult

from .errors import DataError, ShapeError, ShardRefused, StoreMisconfigured, StoreUnavailable, ViewFailed
from .parts import Part, PartLedger, cut_by_day

MAX_ISOLATED_PER_CYCLE = 64
MAX_INSERTS_PER_CYCLE = 200
"""What one cycle may spend on finding bad units before it lets others have their turn (design §4): 64 units cost up to
three INSERTs each when the store points at them."""


def count_lines(unit: bytes) -> int:
    """Return how many lines *unit* is."""
    return unit.count(b"\n") + 1


class InsertPlan:
    """Send the units of one batch until each is stored or refused. Used by one thread at a time.

    Args:
        send: insert a block under a token, as `Store.insert_lines` does with one of lines.
        units: what each message became: one or more JSON lines joined by newlines, inserted together or not at all.
        token: drawn for this batch; it names exactly these units in this order.
        days: the day (table partition) of each unit; None when all fit into one INSERT.
        rewrite: return the canonical form of the unit at an index; tried once before any unit is blamed.
        max_partitions: how many days one INSERT may touch.
        join: make the block of some units, each time the same one of the same; what it raises comes before anything is sent.
        count_rows: tell how many rows a unit is.

    Example:
        >>> from millstream.handlers.testing import FakeStore
        >>> table = ClickHouseTable(FakeStore(), database="shop", table="orders", columns=["id"])
        >>> plan = table.plan([b'{"id":1}', b'{"id":2}'], "token")
        >>> list(plan.run().done), plan.inserts
        ([0, 1], 1)
    """

    def __init__(
        self,
        send: Callable[[bytes, str], None],
        units: Sequence[Any],
        token: str,
        *,
        days: Sequence[int] | None = None,
        rewrite: Callable[[int], bytes] | None = None,
        max_partitions: int = 100,
        join: Callable[[Sequence[Any]], bytes] = b"\n".join,
        count_rows: Callable[[Any], int] = count_lines,
    ) -> None:
        self._send = send
        self._join = join
        self._count_rows = count_rows
        self._units = units
        self._rewrite = rewrite
        self._rewritten: dict[int, bytes] = {}
        self._order: list[int] | None = None
        runs = [(0, len(units) - 1)] if units else []
        if days is not None and len(set(days)) > max_partitions:
            self._order, runs = cut_by_day(days, max_partitions)
        self._ledger = PartLedger(token, runs, can_rewrite=rewrite is not None)
        self._told = 0
        """The first position whose outcome `news` has not told."""
        self.inserts = 0
        """How many INSERT statements were sent, failed ones included."""

    @property
    def refused(self) -> dict[int, DataError]:
        """Why the store refused a unit, by its index in *units*."""
        return {self._index(position): error for position, error in self._ledger.refused.items()}

    @property
    def is_finished(self) -> bool:
        """Whether every unit is stored or refused."""
        return self._ledger.next_part() is None

    @property
    def stored(self) -> int:
        """How many units are known to be stored."""
        return self._ledger.stored

    def run(
        self, on_cycle: Callable[[], bool] | None = None, is_late: Callable[[], bool] = lambda: False
    ) -> BatchResult:
        """Send what is not yet known to be stored, to the end; blocks for as long as the INSERTs take.

        Call it again after an error: it goes on where it was. A part that may have been stored is sent again with the same bytes
        and token.

        Args:
            on_cycle: called whenever the budget of a cycle is used up, as many units are bad: look at `news` and let others have
                their turn. False ends the run, with the rest in `left`. What comes next is halved then, as each INSERT of a large
                part that is refused for the next unit costs as much as all of it.
            is_late: asked after each INSERT; True ends the cycle, as there may be no time for another.

        Returns:
            The outcome of every unit, by its index: where each message became one unit, that of their batch.

        Raises:
            StoreUnavailable: try again later.
            UnknownOutcome: try again; until then the part may be stored or not.
            StoreMisconfigured: try again when it is mended; so too when a part that may be stored became too much for the
                store meanwhile: it cannot be cut any more.
            ViewFailed: the same; the part is in the table, and is sent again for the sake of the view.
            ShardRefused: the same; for the sake of one shard.
        """
        while not self._run_cycle(is_late):
            if on_cycle is not None and not on_cycle():
                break
        return self.result

    def _run_cycle(self, is_late: Callable[[], bool]) -> bool:
        """Send until the budget of one cycle is used up; returns whether everything is done."""
        inserts_allowed = self.inserts + MAX_INSERTS_PER_CYCLE
        refused_allowed = len(self._ledger.refused) + MAX_ISOLATED_PER_CYCLE
        while (part := self._ledger.next_part()) is not None:
            if self.inserts >= inserts_allowed or len(self._ledger.refused) >= refused_allowed:
                self._ledger.halve_next()
                return False
            self._send_part(part)
            if is_late():
                return self.is_finished
        return True

    @property
    def result(self) -> BatchResult:
        """What is known of every unit, by its index."""
        refused, left = self.refused, self.left
        if not refused and not left:
            return BatchResult(done=range(len(self._units)))
        done = [index for index in range(len(self._units)) if index not in refused and index not in left]
        return BatchResult(done=done, failures=refused, left=left)

    @property
    def left(self) -> frozenset[int]:
        """The units, by index, that are not known to be stored or refused."""
        part = self._ledger.next_part()
        first = len(self._units) if part is None else part.first
        return frozenset(self._index(position) for position in range(first, len(self._units)))

    def news(self) -> Iterator[tuple[int, DataError | None]]:
        """Yield what became of the units since the last call: index and error, `None` for stored, in the order of sending."""
        part = self._ledger.next_part()
        first, self._told = self._told, len(self._units) if part is None else part.first
        refused = self._ledger.refused
        return ((self._index(position), refused.get(position)) for position in range(first, self._told))

    def _send_part(self, part: Part) -> None:
        units = self._units_of(part)
        try:
            block = self._join(units)
        except DataError as error:
            self._mark_bad_data(part, units, error)
            return
        self.inserts += 1
        try:
            self._send(block, part.token)
        except DataError as error:
            self._mark_bad_data(part, units, error)
        except ShapeError as error:
            if not self._ledger.mark_bad_shape(error):
                reason = f"an INSERT that may be stored already is too much now, and cannot be split: {error.reason}"
                raise StoreMisconfigured(reason, code=error.code) from error
        except (ViewFailed, ShardRefused):
            self._ledger.mark_in_table()
            raise
        except (StoreUnavailable, StoreMisconfigured):
            raise
        except BaseException:
            # Also an interrupt: it may have come after the store had everything.
            self._ledger.mark_unknown()
            raise
        else:
            self._ledger.mark_stored()

    def _mark_bad_data(self, part: Part, units: Sequence[Any], error: DataError) -> None:
        if not self._ledger.mark_bad_data(error, self._suspect(part, units, error.row)):
            reason = f"the table refuses rows that it has already: {error.reason}"
            raise StoreMisconfigured(reason, code=error.code) from error

    def _units_of(self, part: Part) -> Sequence[Any]:
        if self._order is None and not part.is_rewritten:
            is_all = part.first == 0 and part.last == len(self._units) - 1
            return self._units if is_all else self._units[part.first : part.last + 1]
        return [self._unit(self._index(position), part) for position in range(part.first, part.last + 1)]

    def _index(self, position: int) -> int:
        return position if self._order is None else self._order[position]

    def _unit(self, index: int, part: Part) -> Any:
        if not part.is_rewritten or self._rewrite is None:
            return self._units[index]
        if index not in self._rewritten:
            # Kept: a retry must send the very same bytes.
            self._rewritten[index] = self._rewrite(index)
        return self._rewritten[index]

    def _suspect(self, part: Part, units: Sequence[Any], row: int | None) -> int | None:
        """Return the position of the unit that holds the row the store pointed at, from 1, counting rows."""
        if row is None:
            return None
        ends = accumulate(map(self._count_rows, units))
        return next((part.first + offset for offset, end in enumerate(ends) if row <= end), None)
