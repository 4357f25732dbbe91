"""Many events at once: what `decode_event` finds in good ones, at less cost.

Payloads are joined by line breaks and read by one call; what is looked at in each event there is looked at here in the joined
bytes, or by a list. Whatever could be odd is left to it, event by event: here nothing is refused, and nothing mended but times
that msgspec rounds, where somebody will look at them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import accumulate
from typing import overload

import msgspec

from .decode import decode_event
from .event import Event, InvalidEvent
from .instant import may_escape_time
from .nesting import SURELY_SHALLOW_BYTES, may_be_too_deep
from .raw_line import FIRST_SURE, LAST_SURE

_OPEN, _CLOSE = b"{}"
MOST_BYTES = 8 * 1024 * 1024
"""Of payloads that are joined; more of them are read in several pieces, and a larger one by itself: as text they may take four
times as much."""

_decode = msgspec.json.Decoder(Event).decode_lines
# Reads every number, as `decode_event` does, and refuses what is no object.
_read_objects = msgspec.json.Decoder(dict).decode_lines
# A time that msgspec may have rounded up into another millisecond: `.mmm999` and a digit that rounds it up.
_rounded_up = re.compile(rb"\.[0-9][0-9][0-9]999[5-9]").search
# With as many bytes as before, which takes half of the time.
_NUMBERS = bytes.maketrans(b"123456789E+", b"000000000e0")
_LARGE_EXPONENT = b"0e000"
_MANY_DIGITS = b"0" * 200


class DecodedEvents(Sequence[Event]):
    """Valid events, made again where somebody looks at one: to keep all of them costs more than to read a few twice.

    Args:
        payloads: one event each.
        events: the events, where most of them will be looked at.
        earliest, latest: no event is before or after these, and they are no further than a microsecond from one. Their
            years are some that each payload is the `store_line` of its event.
    """

    __slots__ = ("_events", "_payloads", "earliest", "latest")

    def __init__(
        self, payloads: Sequence[bytes], events: Sequence[Event] | None, earliest: datetime, latest: datetime
    ) -> None:
        self.earliest = earliest
        self.latest = latest
        self._payloads = payloads
        self._events = events

    def __len__(self) -> int:
        return len(self._payloads)

    @overload
    def __getitem__(self, place: int) -> Event: ...

    @overload
    def __getitem__(self, place: slice) -> DecodedEvents: ...

    def __getitem__(self, place: int | slice) -> Event | DecodedEvents:
        if isinstance(place, slice):
            events = None if self._events is None else self._events[place]
            return DecodedEvents(self._payloads[place], events, self.earliest, self.latest)
        return _again(self._payloads[place]) if self._events is None else self._events[place]

    def __iter__(self) -> Iterator[Event]:
        return map(_again, self._payloads) if self._events is None else iter(self._events)


def _again(payload: bytes) -> Event:
    return decode_event(payload, max_message_bytes=len(payload))


def decode_events(
    payloads: Sequence[bytes], *, max_message_bytes: int, keeps_events: bool = False
) -> DecodedEvents | None:
    """Decode and check *payloads*, one event each; `None`: at least one may be odd, so ask `decode_event` about each."""
    longest = max(map(len, payloads), default=0)
    if not 0 < longest <= min(max_message_bytes, MOST_BYTES):
        return None
    if longest * len(payloads) <= MOST_BYTES:
        return _decode_piece(payloads, longest, keeps_events=keeps_events)
    pieces: list[DecodedEvents] = []
    for piece in _pieces_of(payloads):
        events = _decode_piece(piece, longest, keeps_events=keeps_events)
        if events is None:
            return None
        pieces.append(events)
    kept = [event for events in pieces for event in events] if keeps_events else None
    return DecodedEvents(payloads, kept, min(each.earliest for each in pieces), max(each.latest for each in pieces))


def _pieces_of(payloads: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Yield *payloads*, none above `MOST_BYTES`, in pieces of that many bytes at most."""
    ends = list(accumulate(map(len, payloads)))
    first = before = 0
    while first < len(payloads):
        end = bisect_right(ends, before + MOST_BYTES)
        yield payloads[first:end]
        first, before = end, ends[end - 1]


def _decode_piece(payloads: Sequence[bytes], longest: int, *, keeps_events: bool) -> DecodedEvents | None:
    lines = b"\n".join(payloads)
    try:
        # Between a `}` and a `{` no JSON value goes on, and in a string stands no line break: so each payload has at least one
        # value of its own, and as many events as payloads are one in each.
        if [each for each in payloads if each[0] != _OPEN or each[-1] != _CLOSE]:
            return None
        events = _decode(lines)
        if not lines.isascii():
            lines.decode()
        # No JSON has a NUL inside.
        properties = b"\0".join([event.properties for event in events])
        if not _are_ordinary(properties, len(events)):
            _read_objects(properties.replace(b"\0", b"\n"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
        return None
    times = [event.timestamp for event in events]
    earliest, latest = min(times), max(times)
    if (
        len(events) != len(payloads)
        or not FIRST_SURE <= earliest <= latest < LAST_SURE
        or _without_customer(events)
        or not _are_shallow(payloads, longest)
        or (keeps_events and not _cut_times(events, payloads, lines))
    ):
        return None
    # The earliest may have been rounded up.
    return DecodedEvents(payloads, events if keeps_events else None, earliest - datetime.resolution, latest)


def _without_customer(events: list[Event]) -> list[Event]:
    # No call for each, as some producers send one of the two only.
    return [
        each
        for each in events
        if not each.external_customer_id and (each.external_customer_id is not None or not each.customer_id)
    ]


def _are_ordinary(properties: bytes, count: int) -> bool:
    """Whether *properties*, *count* of them with a NUL between, are surely objects in which no number is beyond a double.

    Such a number has an exponent of three digits, or so many digits that one of two is enough. A text may look like it, and so
    does an exponent of two digits with a plus.
    """
    shape = properties.translate(_NUMBERS)
    is_small = _LARGE_EXPONENT not in shape and _MANY_DIGITS not in shape
    return is_small and properties[:1] == b"{" and properties.count(b"\0{") == count - 1


def _cut_times(events: list[Event], payloads: Sequence[bytes], lines: bytes) -> bool:
    """Read those of *events* anew whose time may have been rounded: of the nanoseconds of some clock every fifth run has one.

    Returns:
        Whether all are right now.
    """
    if b"\\" in lines and may_escape_time(lines):
        return False
    if _rounded_up(lines) is None:
        return True
    try:
        for place, payload in enumerate(payloads):
            if b"999" in payload:
                events[place] = _again(payload)
    except (InvalidEvent, RecursionError):
        return False
    return True


def _are_shallow(payloads: Sequence[bytes], longest: int) -> bool:
    """Whether none is nested too deeply; *longest* is the length of the largest."""
    return longest <= SURELY_SHALLOW_BYTES or not any(
        len(each) > SURELY_SHALLOW_BYTES and may_be_too_deep(each) for each in payloads
    )
