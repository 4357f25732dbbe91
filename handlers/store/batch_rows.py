"""The rows of a batch: what its messages become in a table, and which of them become nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from millstream.handlers.batching import BatchMessage, Rows
from millstream.router.errors import HaltedError, PermanentError, TransientError, is_about_us

Line = Callable[[BatchMessage], bytes]
"""Makes the JSON of one message: an object, or several joined by newlines, which go into the table together or not at all."""
Partition = Callable[[BatchMessage], int]
"""Tells a number for the partition of the table that the rows of a message belong to, such as the day."""


@runtime_checkable
class ManyLines(Protocol):
    """A `Line` that also makes those of many messages at once, at less cost than one by one."""

    def many(self, batch: Rows) -> list[bytes]:
        """Return what a call for each message of *batch* would have, in their order, none of it empty and none with blanks
        around; or raise, and be called for each.
        """
        ...


@runtime_checkable
class ManyPartitions(Protocol):
    """A `Partition` that also tells those of many messages at once."""

    def many(self, batch: Rows, limit: int) -> list[int] | None:
        """Return what a call for each message of *batch* would have; `None` where that surely is no more than *limit* numbers."""
        ...


class BatchRows(msgspec.Struct, frozen=True):
    """What the messages of a batch became.

    Args:
        units: the lines, or the objects, of each message that has any, in their order.
        places: the place in the batch of the message behind each unit, ascending.
        days: the partition of each unit, or a number for what else may not share an INSERT; `None` when nobody says, or when
            there are no more of them than an INSERT may touch.
        failures: why a message became no unit, by its place.
    """

    units: Sequence[Any]
    places: Sequence[int]
    days: Sequence[int] | None
    failures: dict[int, Exception]


def make_rows(batch: Rows, line: Line, partition: Partition | None, max_partitions: int = 1) -> BatchRows:
    """Make the rows of *batch*; a message for which *line* or *partition* raises is refused with that error.

    Args:
        batch: the messages.
        line: makes the JSON of each; a `ManyLines` that of all.
        partition: tells the partition of each; a `ManyPartitions` that of all. `None`: nobody does.
        max_partitions: how many of these one INSERT may touch.

    Raises:
        HaltedError: *line* returned something else than bytes: a mistake in the program, which no waiting mends.
        Exception: one that speaks of the program or its surroundings, not of a message: such as `TransientError` and `OSError`.
    """
    try:
        # By the loop of `map`: to look at each message for an error would cost as much again.
        units = line.many(batch) if isinstance(line, ManyLines) else list(map(bytes.strip, map(line, batch)))
        days = _days(batch, partition, max_partitions)
    except Exception:  # noqa: BLE001 - what makes a line is the user's
        return _one_by_one(batch, line, partition)
    if not isinstance(line, ManyLines) and not all(units):
        return _one_by_one(batch, line, partition)
    return BatchRows(units, range(len(units)), days, {})


def _days(batch: Rows, partition: Partition | None, max_partitions: int) -> Sequence[int] | None:
    if partition is None:
        return None
    return (
        partition.many(batch, max_partitions) if isinstance(partition, ManyPartitions) else list(map(partition, batch))
    )


def _one_by_one(batch: Sequence[BatchMessage], line: Line, partition: Partition | None) -> BatchRows:
    units, places, failures = list[bytes](), list[int](), dict[int, Exception]()
    days: list[int] | None = None if partition is None else []
    for place, each in enumerate(batch):
        try:
            unit = _checked(line(each))
            if days is not None and partition is not None:
                days.append(partition(each))
        except Exception as error:
            if not is_of_message(error):
                raise
            failures[place] = error
        else:
            units.append(unit)
            places.append(place)
    return BatchRows(units, places, days, failures)


def make_rewrite(batch: Rows, rows: BatchRows, rewrite: Line) -> Callable[[int], bytes]:
    """Return what makes the canonical form of a unit, by its index; the unit itself where *rewrite* raises for its message.

    Args:
        batch: the messages alone, as what is returned is kept with the batch.
    """

    def again(index: int) -> bytes:
        try:
            return _checked(rewrite(batch[rows.places[index]]))
        except Exception as error:
            if not is_of_message(error):
                raise
            unit: bytes = rows.units[index]
            return unit

    return again


def is_of_message(error: Exception) -> bool:
    """Whether *error*, of a function of the user's, speaks of the message that it was called with."""
    return not is_about_us(error) and not isinstance(error, TransientError | OSError | MemoryError)


def _checked(unit: object) -> bytes:
    if not isinstance(unit, bytes):
        kind = type(unit).__name__
        raise HaltedError(f"line must return bytes, such as msgspec.json.encode(…) makes, but returned {kind}")
    stripped = unit.strip()
    if not stripped:
        raise PermanentError("its line is empty: nothing of it would be stored")
    return stripped
