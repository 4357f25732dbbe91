"""What of an event goes into the store: its bytes as they came, but where the store would read them differently.

- A key given twice: the store refuses it, but once it has met every column it skips the rest of the line, and takes the
  first value silently where msgspec took the last. That needs all columns in one payload.
- A time whose year, as it is written, is not one of 1970 to 2299: the store reads date and time before it looks at the
  offset, and 23.10 to 26.3 bring a year that they do not know to one that they do, a day away.

`store_line` says so of one event; `store_lines` of many, at a tenth of the cost, by counts over all their bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice
from operator import attrgetter

import msgspec

from .event import Event, canonical_line
from .instant import END, EPOCH
from .schema import EVENT_COLUMNS

_FIRST_YEAR, _LAST_YEAR = EPOCH.year, END.year - 1
_TEXT_KEYS = tuple(f'"{column}"' for column in EVENT_COLUMNS)
_KEYS = tuple(key.encode() for key in _TEXT_KEYS)

LOOKED_AT_ONCE = 500
"""Events: their bytes fit into the nearer caches of a core, and what is odd about one costs no more of the others."""
_DAY = timedelta(days=1)
FIRST_SURE, LAST_SURE = EPOCH + _DAY, END - _DAY
"""No offset is as long as a day: between these a time is in one of those years as it is written, too."""
_OPTIONAL = tuple(field.name for field in msgspec.structs.fields(Event) if not field.required)
_REQUIRED = len(msgspec.structs.fields(Event)) - len(_OPTIONAL)
_NO_PROPERTIES = next(field.default for field in msgspec.structs.fields(Event) if field.name == "properties")


def store_line(event: Event, payload: bytes) -> bytes:
    """Return the line that stores *event*: its *payload*, or the canonical line where the store may read that differently."""
    if not _FIRST_YEAR <= event.timestamp.year <= _LAST_YEAR:  # as it is written: its offset is still with it
        return canonical_line(event)
    # `in` takes twice as long as `partition` to find that nothing is there.
    if (event.customer_id is None or event.source is None) and not payload.partition(b"null")[1]:
        return payload
    if b"\\" not in payload and all(payload.count(key) <= 1 for key in _KEYS):
        return payload
    return canonical_line(event) if _has_repeated_key(payload) else payload


def store_lines(events: Iterable[Event], payloads: Iterable[bytes]) -> list[bytes]:
    """Return the `store_line` of each of *events*, which were decoded from *payloads*."""
    lines: list[bytes] = []
    rest_of_events, rest_of_payloads = iter(events), iter(payloads)
    while some := list(islice(rest_of_events, LOOKED_AT_ONCE)):
        theirs = list(islice(rest_of_payloads, LOOKED_AT_ONCE))
        lines += theirs if _are_plain(some, theirs) else map(store_line, some, theirs)
    return lines


def _are_plain(events: Sequence[Event], payloads: Sequence[bytes]) -> bool:
    times = [event.timestamp for event in events]
    if not FIRST_SURE <= min(times) <= max(times) < LAST_SURE:
        return False
    properties = b"".join([event.properties for event in events])
    return have_keys_once(events, b"".join(payloads).decode(), properties.decode())


def have_keys_once(events: Sequence[Event], payloads: str, properties: str) -> bool:
    """Return whether no event has a key twice that the store could read differently.

    Args:
        events: at least one.
        payloads: of all, joined; nothing between them has a quote, a letter or a backslash.
        properties: the same of the events' properties.
    """
    full = [event for event in events if event.customer_id is not None and event.source is not None]
    if not full and "null" not in payloads:
        return True
    if "\\" in payloads and payloads.count("\\") != properties.count("\\"):
        return False
    return _have_no_other_text(events, payloads, properties) or _have_each_once(events, payloads, properties)


def _have_no_other_text(events: Sequence[Event], whole: str, properties: str) -> bool:
    """Whether outside of the properties stands nothing but the keys of what is set in an event, and its texts.

    There each quote begins or ends one of them, as none is escaped. A payload has at least those of its event, so the sums are
    equal only where all are.
    """
    texts = len([event for event in events if event.external_customer_id is not None])
    texts += len([event for event in events if event.customer_id is not None])
    texts += len([event for event in events if event.source is not None])
    keys = texts + len([event for event in events if event.properties is not _NO_PROPERTIES])
    return whole.count('"') - properties.count('"') == 2 * (keys + texts) + 4 * _REQUIRED * len(events)


def _have_each_once(events: Sequence[Event], whole: str, properties: str) -> bool:
    """Whether no known key stands more often outside of the properties than there are events with it; unknown ones may."""
    for name, key in zip(EVENT_COLUMNS, _TEXT_KEYS, strict=True):
        nothing = _NO_PROPERTIES if name == "properties" else None
        values = map(attrgetter(name), events)
        if whole.count(key) - properties.count(key) != sum([value is not nothing for value in values]):
            return False
    return True


def _has_repeated_key(payload: bytes) -> bool:
    keys: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> None:
        # Called for every object, the outermost last.
        keys[:] = [key for key, _ in pairs]

    try:
        # Numbers stay text: Python refuses to read one of thousands of digits.
        json.loads(payload, object_pairs_hook=note, parse_int=str, parse_float=str)
    except RecursionError:
        return True  # too deep to look into; the canonical line is right in any case
    return len(set(keys) & set(EVENT_COLUMNS)) < sum(key in EVENT_COLUMNS for key in keys)
