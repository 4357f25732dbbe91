"""Points in time as the store keeps them: UTC, whole milliseconds, cut and never rounded.

ClickHouse cuts a fraction after its third digit. msgspec rounds it to six, which can carry into the next millisecond
(`.1239996` becomes `.124`), the next second, even the next day. Wherever that could happen the text decides, not msgspec.
"""

import re
from datetime import UTC, datetime, timedelta

import msgspec

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The first point in time an event may have; days are counted from it."""

END = datetime(2300, 1, 1, tzinfo=UTC)
"""The first point in time an event may not have: `DateTime64` ends with the year 2299."""

OUTSIDE = "outside 1970-01-01 to 2299-12-31 (UTC)"
"""The reason an event gets whose time the store cannot keep."""

_MINUTE = timedelta(minutes=1)
_FRACTION_BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")
_SHAPE = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII)

# What may stand in a time, written as an escape: digits, plus, minus, point, colon, blank, T and Z. No other form of escape
# stands for one of them.
_ESCAPED_IN_TIME = re.compile(rb"\\u00(?:3[0-9aA]|2[0bBdDeE]|[57][4aA])")


class _TimeText(msgspec.Struct, gc=False):
    timestamp: str


_decode_time_text = msgspec.json.Decoder(_TimeText).decode


def may_escape_time(payload: bytes) -> bool:
    """Tell, wrong only towards True, whether a character of the time of an event is written as an escape."""
    return _ESCAPED_IN_TIME.search(payload) is not None


def cut_timestamp(payload: bytes) -> datetime:
    """Read the time of a decodable event again, with its fraction cut after six digits instead of rounded."""
    return _parse_cut(_decode_time_text(payload).timestamp)


def _parse_cut(text: str) -> datetime:
    return msgspec.convert(_FRACTION_BEYOND_MICROSECONDS.sub(r"\1", text), datetime)


def explain_refusal(payload: bytes) -> str:
    """Say what is wrong with the time of an event whose time msgspec could not read."""
    try:
        text = _decode_time_text(payload).timestamp
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "not a date and time after RFC 3339"
    if _SHAPE.fullmatch(text) is None:
        return "not a date and time after RFC 3339"
    try:
        _parse_cut(text)
    except msgspec.ValidationError:
        return "no such date or time of day"
    return OUTSIDE


def utc_text(timestamp: datetime) -> str:
    """Write a time as `2026-11-23T10:00:00.123456Z`, whatever its zone was."""
    return timestamp.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def has_whole_minutes(offset: timedelta | None) -> bool:
    """Tell whether JSON can say an offset: RFC 3339 knows no seconds in one, and msgspec drops them without a word."""
    return offset is None or not offset % _MINUTE


def with_whole_minutes(timestamp: datetime) -> datetime:
    """Give the same point in time with an offset that JSON can say.

    Raises:
        OverflowError: in UTC it is before the year 1 or after the year 9999.
    """
    return timestamp if has_whole_minutes(timestamp.utcoffset()) else timestamp.astimezone(UTC)


def stored_time(timestamp: datetime) -> datetime:
    """Bring a time to what the store keeps of it: UTC, cut to the millisecond."""
    if timestamp.tzinfo is not UTC:
        timestamp = timestamp.astimezone(UTC)
    microsecond = timestamp.microsecond
    excess = microsecond % 1000
    return timestamp.replace(microsecond=microsecond - excess) if excess else timestamp
