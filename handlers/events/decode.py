"""From the bytes of a message to a valid `Event`.

The way of a good event is short: msgspec checks types, required fields and JSON (lone surrogates and NaN included); what
it lets through is looked at here with checks of some 50 ns each (but for one search of the payload, 0.3 to 0.5 µs, which
only times of whole milliseconds need, and one or more for nesting, which only long payloads need). Anything odd leaves for
`_settle_odd`, anything refused for `diagnose`; both may take their time.
"""

from struct import Struct

import msgspec

from millstream.router.errors import MessageTooLarge

from .diagnosis import diagnose, find_too_deep
from .event import Event, InvalidEvent
from .instant import END, EPOCH, OUTSIDE, cut_timestamp
from .nesting import SURELY_SHALLOW_BYTES, may_be_too_deep

DEFAULT_MAX_MESSAGE_BYTES = 1024 * 1024
"""Kafka's own default for `message.max.bytes`, and far above any usage event."""

_OPENING_BRACE = ord("{")
_KINDS = {"[": "an array", '"': "a string", "t": "a boolean", "f": "a boolean"}

_decode = msgspec.json.Decoder(Event).decode
# `Raw` has no indexing; this reads its first byte without copying the rest, in half the time of bytes(raw)[0].
_first_byte = Struct("B").unpack_from


def decode_event(payload: bytes, *, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> Event:
    """Decode and check one event; keys it does not know are ignored.

    Missing or null properties become `{}`, an empty external customer id becomes None: the table cannot tell them apart.
    A key, known or not, may nest arrays and objects 250 levels deep, `properties` itself counted, on every interpreter.

    Raises:
        InvalidEvent: it is not one; names the field.
        MessageTooLarge: the payload is longer than *max_message_bytes*.
        RecursionError: the caller has used up so much of Python's stack that a payload within the 250 levels cannot be read.
            It says nothing about the payload. Only 3.11 counts the caller's frames against JSON: it needs 260 of its 1,000.
    """
    size = len(payload)
    if size > max_message_bytes:
        raise MessageTooLarge(size, max_message_bytes)
    try:
        event = _decode(payload)
        if not payload.isascii():
            # msgspec checks the encoding only of what it turns into str: no unknown key, no property.
            payload.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise diagnose(payload, error) from error
    if size > SURELY_SHALLOW_BYTES and may_be_too_deep(payload) and (found := find_too_deep(payload)):
        raise found
    timestamp = event.timestamp
    external_customer_id = event.external_customer_id
    if (
        not (external_customer_id or (external_customer_id is None and event.customer_id))
        or _first_byte(event.properties)[0] != _OPENING_BRACE
        or not EPOCH <= timestamp < END
        or _may_be_rounded_up(timestamp.microsecond, payload)
    ):
        return _settle_odd(event, payload)
    return event


def _may_be_rounded_up(microsecond: int, payload: bytes) -> bool:
    # Rounding carries into a new millisecond only from .…999|5 and up, into a new second only from .999999|5 and up. Digits
    # written as escapes slip through, without harm: ClickHouse refuses such a time, and the canonical line has ours.
    if microsecond == 0:
        return b"999999" in payload
    return microsecond % 1000 == 0 and b"999" in payload


def _settle_odd(event: Event, payload: bytes) -> Event:
    timestamp = cut_timestamp(payload)
    if not EPOCH <= timestamp < END:
        raise InvalidEvent("timestamp", OUTSIDE)
    if not (event.external_customer_id or event.customer_id):
        raise InvalidEvent("customer_id", "missing or empty, and external_customer_id is too")
    return msgspec.structs.replace(
        event,
        timestamp=timestamp,
        external_customer_id=event.external_customer_id or None,
        properties=_object_or_null(event.properties),
    )


def _object_or_null(properties: msgspec.Raw) -> msgspec.Raw:
    first = chr(_first_byte(properties)[0])
    if first == "{":
        return properties
    if first == "n":
        return msgspec.Raw(b"{}")
    raise InvalidEvent("properties", f"expected an object, got {_KINDS.get(first, 'a number')}")
