"""What of an event goes into the store: its bytes as they came, but where the store would read them differently."""

from __future__ import annotations

import json

from .event import Event, canonical_line
from .schema import EVENT_COLUMNS

_KEYS = tuple(b'"%b"' % column.encode() for column in EVENT_COLUMNS)


def store_line(event: Event, payload: bytes) -> bytes:
    """Return the line that stores *event*: its *payload*, or the canonical line where a key may be given twice.

    The store refuses a repeated key, and the canonical line then mends it; but once it has met every column it skips the rest of
    the line, and takes the first value silently where msgspec took the last. That needs all columns in one payload.
    """
    if (event.customer_id is None or event.source is None) and b"null" not in payload:
        return payload
    if b"\\" not in payload and all(payload.count(key) <= 1 for key in _KEYS):
        return payload
    return canonical_line(event) if _has_repeated_key(payload) else payload


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
