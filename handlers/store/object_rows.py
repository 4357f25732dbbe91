"""The rows of a batch as Python objects: what its messages are encoded to, and which of them fit into no row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, is_
from typing import Any

from millstream.handlers.batching import Batch, BatchMessage, Rows
from millstream.router.callables import described
from millstream.router.errors import HaltedError, PermanentError

from .batch_rows import BatchRows, is_of_message
from .classification import TYPE_CODES
from .errors import DataError, StoreUnavailable
from .insert_plan import InsertPlan

Encode = Callable[[BatchMessage], Any]
"""Makes the row of one message: a tuple of values in the order of the columns, a dict of them by name, or an object with an
attribute for each, such as a struct or a dataclass. A list of rows goes into the table whole, or not at all."""
MakeBlock = Callable[[Sequence[tuple[Any, ...]]], bytes]
"""Makes a block of rows, as `Store.make_block` does."""
_NO_ROWS = (str, bytes, bytearray, int, float, type(None))


class ObjectRows:
    """Makes rows of messages, and blocks of rows, for a table with *columns*.

    Args:
        encode: makes the row of a message, or several.
        columns: what a row has a value for.
        make_block: makes a block of rows.
    """

    def __init__(self, encode: Encode, columns: Sequence[str], make_block: MakeBlock) -> None:
        self._encode = encode
        self._columns = tuple(columns)
        # Of one name `attrgetter` returns the value alone.
        self._attributes = attrgetter(*columns) if len(columns) > 1 else None
        self._make_block = make_block
        self._made: tuple[Sequence[Any], bytes] = ((), b"")
        """Some units, and their block: tried again, they are the same bytes, whatever has become of the table."""
        self._is_made_anew = False

    def plan(self, batch: Batch, send: Callable[[bytes, str], None]) -> tuple[BatchRows, InsertPlan]:
        """Return the rows of *batch*, and the plan that sends them; raises what `make` raises."""
        rows = self.make(batch.rows)
        # What may not share a block is cut as days are.
        return rows, InsertPlan(
            lambda block, token: self._send(send, block, token),
            rows.units,
            batch.token,
            days=rows.days,
            max_partitions=1,
            join=self.block,
            count_rows=lambda unit: len(_rows_of(unit)),
        )

    def _send(self, send: Callable[[bytes, str], None], block: bytes, token: str) -> None:
        try:
            send(block, token)
        except DataError as error:
            if error.code not in TYPE_CODES or self._is_made_anew:
                raise
            # No row's fault, until it is so with the types of now; nothing is stored of the block, so it may be made anew.
            self._is_made_anew, self._made = True, ((), b"")
            self._make_block([])
            raise StoreUnavailable(f"a column has another type than it had: {error.reason}", code=error.code) from error

    def make(self, batch: Rows) -> BatchRows:
        """Return the rows of *batch*, a unit for each message; one that `encode` raises for, or that fits no column, is refused.

        Raises:
            HaltedError: `encode` returned something that is no row: a mistake in the program.
            Exception: one that speaks of the program or its surroundings, not of a message; also what `make_block` raises.
        """
        units, places, failures = list[Any](), list[int](), dict[int, Exception]()
        for place, each in enumerate(batch):
            try:
                units.append(self._unit(self._encode(each)))
            except Exception as error:
                if not is_of_message(error):
                    raise
                failures[place] = error
            else:
                places.append(place)
        refused = self._unfit(units)
        if refused:
            failures.update((places[index], error) for index, error in refused.items())
            units = [unit for index, unit in enumerate(units) if index not in refused]
            places = [place for index, place in enumerate(places) if index not in refused]
        return BatchRows(units, places, self._kinds(units), failures)

    def _unfit(self, units: Sequence[Any]) -> dict[int, Exception]:
        if self._is_block(units):
            return {}
        self._make_block([])  # nobody is to blame for what a column was before: its type is asked for anew
        return self._find_unfit(units, 0)

    def _kinds(self, units: Sequence[Any]) -> list[int] | None:
        """Return a number for the types of each of *units*, `None` where they go into one block.

        The driver reads a column as the type of its first value, so that texts and times fit a column of times, but not together.
        """
        if self._is_block(units):
            return None
        numbers = dict[tuple[type, ...], int]()
        return [numbers.setdefault(_types_of(unit), len(numbers)) for unit in units]

    def _is_block(self, units: Sequence[Any]) -> bool:
        try:
            if units:
                self.block(units)
        except DataError:
            return False
        return True

    def block(self, units: Sequence[Any]) -> bytes:
        """Return the block of *units*.

        Raises:
            DataError: a value fits no column, or not beside the others.
            Exception: what `make_block` raises.
        """
        if len(units) != len(self._made[0]) or not all(map(is_, units, self._made[0])):
            self._made = (units, self._make_block([row for unit in units for row in _rows_of(unit)]))
        return self._made[1]

    def _find_unfit(self, units: Sequence[Any], first: int) -> dict[int, Exception]:
        """Return why units fit no column, by their index, counted from *first*; by halves, as nobody says which they are."""
        try:
            self.block(units)
        except DataError as error:
            if len(units) == 1:
                return {first: error}
            middle = len(units) // 2
            return self._find_unfit(units[:middle], first) | self._find_unfit(units[middle:], first + middle)
        return {}

    def _unit(self, value: Any) -> Any:
        if not isinstance(value, list):
            return self._row(value)
        if not value:
            raise PermanentError("it is encoded to no row: nothing of it would be stored")
        return list(map(self._row, value))

    def _row(self, value: Any) -> tuple[Any, ...]:
        if type(value) is tuple:
            if len(value) != len(self._columns):
                raise PermanentError(f"its row has {len(value)} values for {len(self._columns)} columns")
            return value
        if isinstance(value, _NO_ROWS):
            text = "encode must return a tuple, a dict or an object with an attribute for each column"
            raise HaltedError(f"{text}, but returned {described(type(value)).removeprefix('the class ')}")
        try:
            if isinstance(value, Mapping):
                return tuple([value[column] for column in self._columns])
            if self._attributes is None:
                return (getattr(value, self._columns[0]),)
            values: tuple[Any, ...] = self._attributes(value)
        except (KeyError, AttributeError) as error:
            missing = error.name if isinstance(error, AttributeError) else error.args[0]
            raise PermanentError(f"its row has no value for column `{missing}`") from error
        return values


def _types_of(unit: Any) -> tuple[type, ...]:
    return tuple([type(value) for row in _rows_of(unit) for value in row])


def _rows_of(unit: Any) -> Sequence[tuple[Any, ...]]:
    return unit if isinstance(unit, list) else (unit,)
