"""Telling of keys that an event ignores although they look like ones that it has: `propertes` stores an event without properties.

Decoding passes over unknown keys without a word, and stays as it is: here batches are looked at, each event of the first ones and
then one in `EVERY`, at some microseconds each.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Sequence

import msgspec
from loguru import logger

from .event import Event

FIRST = 1_000
"""Events that are all looked at: a file to try things out with, and what a service starts with. Some milliseconds in all."""
EVERY = 500
"""Of those after that one in so many, and one of each batch: at 2 µs a look, 4 ns an event."""
SIMILARITY = 0.9
"""How alike two keys must be, from 0 to 1, case and underscores apart: `resource` is no `source` (0.86), nor `customer` a
`customer_id` (0.89)."""
MAX_KEYS = 1_000
"""Unknown keys that are remembered; who has more of them makes them up for each event."""
MAX_KEY_LENGTH = 64
"""Characters; longer ones look like none of ours."""

_FIELDS = msgspec.structs.fields(Event)
_KNOWN = frozenset(field.name for field in _FIELDS)
_OPTIONAL = {field.name.replace("_", ""): field.name for field in _FIELDS if not field.required}
"""An event that lacks another key is refused, with the name of that."""

_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class SimilarKeys:
    """Warns once of each unknown key that looks like one which its event does not have. Thread-safe."""

    def __init__(self) -> None:
        self._looked = 0
        self._similar: dict[str, str | None] = {}
        self._told: set[str] = set()
        self._lock = threading.Lock()

    def look_at(self, parts: Iterable[Sequence[bytes]]) -> None:
        """Look at some of the payloads of *parts*, which are valid events of one batch; the first of them is among these."""
        with self._lock:
            first = 0
            for payloads in parts:
                some = payloads if self._looked < FIRST else payloads[first::EVERY]
                first = (first - len(payloads)) % EVERY
                self._looked += len(some)
                for payload in some:
                    self._look_at(payload)

    def _look_at(self, payload: bytes) -> None:
        keys = _keys_of(payload)
        for key in keys - _KNOWN - self._told:
            known = self._similar_to(key)
            if known is not None and known not in keys:
                self._told.add(key)
                logger.warning("events have the key {!r}, which is ignored: did you mean {!r}?", key, known)

    def _similar_to(self, key: str) -> str | None:
        if key not in self._similar:
            if len(self._similar) >= MAX_KEYS:
                return None
            self._similar[key] = similar_to(key)
        return self._similar[key]


def similar_to(key: str) -> str | None:
    """Return the key of an event, one that may be missing, which *key* looks like, if it does."""
    if len(key) > MAX_KEY_LENGTH:
        return None
    plain = key.casefold().replace("_", "").replace("-", "")
    found = difflib.get_close_matches(plain, _OPTIONAL, n=1, cutoff=SIMILARITY)
    return _OPTIONAL[found[0]] if found else None


def _keys_of(payload: bytes) -> frozenset[str]:
    try:
        return frozenset(_read_members(payload))
    except (msgspec.MsgspecError, RecursionError):  # a batch of a user's own making need not hold events
        return frozenset()
