"""Many events at once: what `decode_event` finds in good ones, at less cost.

Payloads are joined by line breaks and read by one call; what is looked at in each event there is looked at here in the joined
bytes, or by a list. Whatever could be odd is left to it, event by event: here nothing is refused, and nothing mended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from .event import Event
from .instant import END, EPOCH, may_escape_time
from .nesting import SURELY_SHALLOW_BYTES, may_be_too_deep

_DAY = timedelta(days=1)
_FIRST_SURE, _LAST_SURE = EPOCH + _DAY, END - _DAY
"""Between these a time is within the years of the store as it is written, too: no offset is as long as a day."""
_OPEN, _CLOSE = b"{}"

_decode = msgspec.json.Decoder(Event).decode_lines
# Reads every number, as `decode_event` does, and refuses what is no object.
_read_objects = msgspec.json.Decoder(dict).decode_lines


def decode_events(payloads: Sequence[bytes], *, max_message_bytes: int) -> list[Event] | None:
    """Decode and check *payloads*, one event each; `None`: at least one may be odd, so ask `decode_event` about each."""
    lines = b"\n".join(payloads)
    try:
        # Between a `}` and a `{` no JSON value goes on, and in a string stands no line break: so each payload has at least one
        # value of its own, and as many events as payloads are one in each.
        if [each for each in payloads if each[0] != _OPEN or each[-1] != _CLOSE]:
            return None
        events = _decode(lines)
        text = lines.decode()
        _read_objects(b"\n".join([event.properties for event in events]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, IndexError):
        return None
    times = [event.timestamp for event in events]
    earliest, latest = min(times), max(times)
    if (
        len(events) != len(payloads)
        or not _FIRST_SURE <= earliest <= latest < _LAST_SURE
        or [event for event in events if not event.external_customer_id and not _has_customer(event)]
        or _may_be_rounded(text)
        or ("\\" in text and may_escape_time(lines))
        or not _are_short(payloads, len(lines), max_message_bytes)
    ):
        return None
    return events


def _has_customer(event: Event) -> bool:
    return event.external_customer_id is None and bool(event.customer_id)


def _may_be_rounded(text: str) -> bool:
    """Whether msgspec may have rounded a time up into another millisecond: `.mmm999` and a digit that rounds it up."""
    at = text.find("999")
    while at >= 0:
        if text[at - 4 : at - 3] == "." and text[at + 3 : at + 4] >= "5":
            return True
        at = text.find("999", at + 1)
    return False


def _are_short(payloads: Sequence[bytes], size: int, max_message_bytes: int) -> bool:
    """Whether none is too large, or nested too deeply; *size* is that of all together."""
    if size <= SURELY_SHALLOW_BYTES:
        return size <= max_message_bytes
    longest = max(map(len, payloads))
    if longest > SURELY_SHALLOW_BYTES and any(
        len(each) > SURELY_SHALLOW_BYTES and may_be_too_deep(each) for each in payloads
    ):
        return False
    return longest <= max_message_bytes
