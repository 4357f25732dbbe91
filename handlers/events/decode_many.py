"""Many events at once: what `decode_event` finds in good ones, at less cost.

Payloads are joined by line breaks and read by one call; what is looked at in each event there is looked at here in the joined
bytes, or by a list. Whatever could be odd is left to it, event by event: here nothing is refused, and nothing mended but times
that msgspec rounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import overload

import msgspec

from .decode import decode_event
from .event import Event, InvalidEvent
from .instant import may_escape_time
from .nesting import SURELY_SHALLOW_BYTES, may_be_too_deep
from .raw_line import FIRST_SURE, LAST_SURE, have_keys_once

_OPEN, _CLOSE = b"{}"
MOST_BYTES = 8 * 1024 * 1024
"""Of payloads that are joined: as text they may take four times as much, and of large ones each is worth a call of its own."""

_decode = msgspec.json.Decoder(Event).decode_lines
# Reads every number, as `decode_event` does, and refuses what is no object.
_read_objects = msgspec.json.Decoder(dict).decode_lines
# A time that msgspec may have rounded up into another millisecond: `.mmm999` and a digit that rounds it up.
_rounded_up = re.compile(r"\.[0-9][0-9][0-9]999[5-9]").search
_NINES = "999"
MOST_NINES = 64
"""Of a chunk that are looked at one by one: 125 ns of each event less than the expression, which looks at every byte."""
_NUMBERS = bytes.maketrans(b"123456789E", b"000000000e")
_LARGE_EXPONENT = b"0e000"
_MANY_DIGITS = b"0" * 200


class DecodedEvents(Sequence[Event]):
    """Valid events, made again where somebody looks at one: to keep all of them costs more than to read a few twice.

    Args:
        payloads: one event each.
        events: the events, where most of them will be looked at.
        earliest, latest: no event is before or after these.
        is_plain: whether each payload is the line that stores its event; otherwise `store_line` has to say so of each.
    """

    __slots__ = ("_events", "_payloads", "earliest", "is_plain", "latest")

    def __init__(
        self,
        payloads: Sequence[bytes],
        events: Sequence[Event] | None,
        earliest: datetime,
        latest: datetime,
        *,
        is_plain: bool,
    ) -> None:
        self.earliest = earliest
        self.latest = latest
        self.is_plain = is_plain
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
            return DecodedEvents(self._payloads[place], events, self.earliest, self.latest, is_plain=self.is_plain)
        return _again(self._payloads[place]) if self._events is None else self._events[place]

    def __iter__(self) -> Iterator[Event]:
        return map(_again, self._payloads) if self._events is None else iter(self._events)


def _again(payload: bytes) -> Event:
    return decode_event(payload, max_message_bytes=len(payload))


def decode_events(
    payloads: Sequence[bytes], *, max_message_bytes: int, keeps_events: bool = False
) -> DecodedEvents | None:
    """Decode and check *payloads*, one event each; `None`: at least one may be odd, so ask `decode_event` about each."""
    lengths = list(map(len, payloads))
    if not lengths or sum(lengths) > MOST_BYTES:
        return None
    lines = b"\n".join(payloads)
    try:
        # Between a `}` and a `{` no JSON value goes on, and in a string stands no line break: so each payload has at least one
        # value of its own, and as many events as payloads are one in each.
        if [each for each in payloads if each[0] != _OPEN or each[-1] != _CLOSE]:
            return None
        events = _decode(lines)
        text = lines.decode()
        # No JSON has a NUL inside.
        properties = b"\0".join([event.properties for event in events])
        if not _are_ordinary(properties, len(events)):
            _read_objects(properties.replace(b"\0", b"\n"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
        return None
    if len(events) != len(payloads) or (_may_be_rounded_up(text) and not _cut_times(events, payloads)):
        return None
    times = [event.timestamp for event in events]
    earliest, latest = min(times), max(times)
    if (
        not FIRST_SURE <= earliest <= latest < LAST_SURE
        or _without_customer(events)
        or ("\\" in text and may_escape_time(lines))
        or not _are_short(payloads, max(lengths), max_message_bytes)
    ):
        return None
    is_plain = have_keys_once(events, text, properties.decode())
    return DecodedEvents(payloads, events if keeps_events else None, earliest, latest, is_plain=is_plain)


def _without_customer(events: list[Event]) -> list[Event]:
    # No call for each, as some producers send one of the two only.
    return [
        each
        for each in events
        if not each.external_customer_id and (each.external_customer_id is not None or not each.customer_id)
    ]


def _are_ordinary(properties: bytes, count: int) -> bool:
    """Whether *properties*, *count* of them with a NUL between, are surely objects in which no number is beyond a double.

    Such a number has an exponent of three digits, or so many digits that one of two is enough. A text may look like it.
    """
    shape = properties.translate(_NUMBERS, b"+")
    is_small = _LARGE_EXPONENT not in shape and _MANY_DIGITS not in shape
    return is_small and properties[:1] == b"{" and properties.count(b"\0{") == count - 1


def _may_be_rounded_up(text: str) -> bool:
    """Tell, wrong only towards True, whether msgspec may have rounded one of the times in *text* up."""
    place = -1
    for _ in range(MOST_NINES):
        place = text.find(_NINES, place + 1)
        if place < 0:
            return False
        if text[place - 4 : place - 3] == "." and "5" <= text[place + 3 : place + 4] <= "9":
            return True
    return _rounded_up(text) is not None


def _cut_times(events: list[Event], payloads: Sequence[bytes]) -> bool:
    """Read those anew whose time may have been rounded: of the nanoseconds of some clock every fifth run has one."""
    try:
        for place, payload in enumerate(payloads):
            if b"999" in payload:
                events[place] = _again(payload)
    except (InvalidEvent, RecursionError):
        return False
    return True


def _are_short(payloads: Sequence[bytes], longest: int, max_message_bytes: int) -> bool:
    """Whether none is too large, or nested too deeply; *longest* is the length of the largest."""
    if longest > SURELY_SHALLOW_BYTES and any(
        len(each) > SURELY_SHALLOW_BYTES and may_be_too_deep(each) for each in payloads
    ):
        return False
    return longest <= max_message_bytes
