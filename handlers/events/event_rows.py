"""What events become in their table: lines and days, of one or of many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from millstream.handlers.batching import BatchMessage, Rows

from .billing import BillingConfig, billing_line
from .decode_many import DecodedEvents
from .event import Event, canonical_line, day_number
from .probe import is_probe
from .raw_line import store_line, store_lines


class EventLine:
    """Makes the line of an event, with its billing row where that is configured; see `Line` and `ManyLines`.

    Args:
        billing: adds a billing row; `None`: adds none.
        is_canonical: writes each event anew, rather than sending its bytes as they came.
    """

    def __init__(self, billing: BillingConfig | None = None, *, is_canonical: bool = False) -> None:
        self._billing = billing
        self._is_canonical = is_canonical

    def __call__(self, each: BatchMessage) -> bytes:
        """Return the line of one event."""
        line = canonical_line(each.item) if self._is_canonical else store_line(each.item, each.payload)
        return line if self._billing is None else _billed(line, each.item, self._billing)

    def many(self, batch: Rows) -> list[bytes]:
        """Return the lines of all of *batch*."""
        if self._is_canonical:
            return list(map(self, batch))
        lines: list[bytes] = []
        for events, payloads in batch.parts():
            lines += payloads if isinstance(events, DecodedEvents) else store_lines(events, payloads)
        billing = self._billing
        if billing is None:
            return lines
        return [_billed(line, event, billing) for line, event in zip(lines, batch.items(), strict=True)]


class EventDay:
    """Tells the day of an event, which is its partition; see `Partition` and `ManyPartitions`."""

    def __call__(self, each: BatchMessage) -> int:
        """Return the day of one event, counted from 1970-01-01 in UTC."""
        return day_number(each.item)

    def many(self, batch: Rows, limit: int) -> list[int] | None:
        """Return the days of all of *batch*; `None` where they surely are at most *limit* different ones."""
        bounds = [moment for events, _ in batch.parts() for moment in _bounds(events)]
        # Times less than n days apart lie in n + 1 days at most.
        if bounds and max(bounds) - min(bounds) < timedelta(days=limit - 1):
            return None
        return list(map(day_number, batch.items()))


def _bounds(events: Sequence[Event]) -> tuple[datetime, datetime]:
    if isinstance(events, DecodedEvents):
        return events.earliest, events.latest
    times = [event.timestamp for event in events]
    return min(times), max(times)


def _billed(line: bytes, event: Event, billing: BillingConfig) -> bytes:
    return line if is_probe(event) else b"%b\n%b" % (line, billing_line(event, billing))
