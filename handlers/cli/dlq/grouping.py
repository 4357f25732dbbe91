"""Counting poison records by reason, handler and day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

import msgspec

from .records import PoisonRecord

MAX_REASON_CHARACTERS = 120
"""Of a reason in the list: what is behind differs from message to message."""
_VALUES = re.compile(
    r"""'[^']*'|"[^"]*"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|\b[0-9a-fA-F]*\d[0-9a-fA-F]{7,}\b|\d+"""
)
"""Quoted text, uuids, long hexadecimal ids, numbers: what makes every reason another one."""
UNKNOWN = "-"
"""Where a record does not say."""


def masked(reason: str) -> str:
    """Return *reason* on one line, with its values left out and cut to 120 characters, so that alike ones are equal."""
    text = _VALUES.sub(lambda found: _mask(found[0]), " ".join(reason.split()))
    return text if len(text) <= MAX_REASON_CHARACTERS else f"{text[:MAX_REASON_CHARACTERS]}…"


def _mask(value: str) -> str:
    return f"{value[0]}…{value[0]}" if value[0] in "'\"" else "#"


class Row(msgspec.Struct, frozen=True):
    """A line of the list.

    Args:
        source: the topic or file.
        by: `all`, `reason`, `handler` or `day`.
        value: which one.
        records: how many.
        replayed: how many of them were sent back.
        oldest, newest: when they were set aside; empty where no record says so.
    """

    source: str
    by: str
    value: str
    records: int
    replayed: int
    oldest: str
    newest: str


class Group:
    """Records that are alike."""

    def __init__(self) -> None:
        self.records = 0
        self.replayed = 0
        self._oldest: datetime | None = None
        self._newest: datetime | None = None

    def add(self, time: datetime | None, *, is_replayed: bool) -> None:
        """Count one."""
        self.records += 1
        self.replayed += is_replayed
        if time is not None:
            self._oldest = time if self._oldest is None else min(self._oldest, time)
            self._newest = time if self._newest is None else max(self._newest, time)

    def row(self, source: str, by: str, value: str) -> Row:
        """Return the line of it."""
        return Row(source, by, value, self.records, self.replayed, _text(self._oldest), _text(self._newest))


def _text(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


class Tally:
    """The records of one source, counted."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._all = Group()
        self._by: dict[str, dict[str, Group]] = {"reason": {}, "handler": {}, "day": {}}

    def add(self, record: PoisonRecord) -> None:
        """Count one."""
        time, is_replayed = record.time, record.is_replayed
        self._all.add(time, is_replayed=is_replayed)
        day = UNKNOWN if time is None else f"{time:%Y-%m-%d}"
        values = {"reason": masked(record.reason), "handler": record.handler, "day": day}
        for by, value in values.items():
            self._by[by].setdefault(value or UNKNOWN, Group()).add(time, is_replayed=is_replayed)

    def rows(self) -> list[Row]:
        """Return the lines: everything, then reasons and handlers by number, then days in their order; none where nothing is."""
        if not self._all.records:
            return []
        rows = [self._all.row(self._source, "all", "")]
        for by, groups in self._by.items():
            rows += [groups[value].row(self._source, by, value) for value in _sorted(groups, by)]
        return rows


def _sorted(groups: dict[str, Group], by: str) -> Iterable[str]:
    return sorted(groups) if by == "day" else sorted(groups, key=lambda value: (-groups[value].records, value))
