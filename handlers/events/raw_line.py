"""What of an event goes into the store: its bytes as they came, but where the store would read them differently.

That is a time whose year, as it is written, is not one of 1970 to 2299: the store reads date and time before it looks at the
offset, and 23.10 to 26.3 bring a year that they do not know to one that they do, a day away. What else it reads otherwise it
refuses, as it does a key that is given twice (see `sent_settings`); then the canonical lines go.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from .event import Event, canonical_line
from .instant import END, EPOCH

_FIRST_YEAR, _LAST_YEAR = EPOCH.year, END.year - 1
_DAY = timedelta(days=1)
FIRST_SURE, LAST_SURE = EPOCH + _DAY, END - _DAY
"""No offset is as long as a day: between these a time is in one of those years as it is written, too."""


def store_line(event: Event, payload: bytes) -> bytes:
    """Return the line that stores *event*: its *payload*, or the canonical line where the store may read that differently."""
    # As it is written: its offset is still with it.
    return payload if _FIRST_YEAR <= event.timestamp.year <= _LAST_YEAR else canonical_line(event)


def store_lines(events: Sequence[Event], payloads: Sequence[bytes]) -> list[bytes]:
    """Return the `store_line` of each of *events*, which were decoded from *payloads*, without blanks around it."""
    times = [event.timestamp for event in events]
    if times and FIRST_SURE <= min(times) <= max(times) < LAST_SURE:
        return list(map(bytes.strip, payloads))
    return [line.strip() for line in map(store_line, events, payloads)]
