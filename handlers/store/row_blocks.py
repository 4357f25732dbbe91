"""Rows of Python objects as blocks of a table's columns, each value as the type that the engine names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .driver import Client, ColumnWriter, Unwritable
from .errors import DataError

_ENUM = re.compile(r"Enum(?:8|16)\((?:'(?:[^'\\]|\\.)*'|[^')])*\)")
_NONE_IS_ZERO = re.compile(r"Bool|UUID|IPv6|Time|Time64\(\d\)")
"""Types of which the driver writes `None` as zero, without a word; of all others that take none it refuses it."""


class RowBlocks:
    """Makes the blocks of one table; prepared once, for any thread.

    Args:
        client: of the engine that has the table.
        table: the full name, quoted.
        types: by column, as the engine names them.
    """

    def __init__(self, client: Client, table: str, types: Mapping[str, str]) -> None:
        self._types = types
        # The driver would write a name that an enumeration has not as the number 0, which no query can read; of a text the
        # engine says so.
        self._writer = ColumnWriter(client, table, {name: _ENUM.sub("String", kind) for name, kind in types.items()})
        self._without_none = [place for place, kind in enumerate(types.values()) if _NONE_IS_ZERO.fullmatch(kind)]

    def make(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """Return *rows*, at least one, as one block.

        Raises:
            DataError: a value does not fit its column; of a single row it says what is in the way of the value.
            DriverError: no value of a column can be written.
        """
        try:
            self._refuse_none(rows)
            return self._writer.block(rows)
        except Unwritable as error:
            value = f"this {type(rows[0][error.place]).__name__}" if len(rows) == 1 else "a value"
            name, kind = list(self._types.items())[error.place]
            raise DataError(f"column `{name}` is {kind}, and {value} does not fit") from error

    def _refuse_none(self, rows: Sequence[Sequence[Any]]) -> None:
        for place in self._without_none:
            if None in [row[place] for row in rows]:
                raise Unwritable(place)
