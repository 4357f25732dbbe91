"""From the bytes of a message to a valid `Event`.

The way of a good event is short: msgspec checks types, required fields and JSON (lone surrogates and NaN included); what
it lets through is looked at here with checks of some 50 ns each (but for a look at each number in the properties, 0.2 µs and
more, one search of the payload, 0.1 to 0.2 µs, which only times of whole milliseconds need, and one or more for nesting,
which only long payloads need). Anything odd leaves for `_settle_odd` and `_settle_properties`, anything refused for
`diagnose`; they may take their time.
"""

import msgspec

from millstream.router.errors import MessageTooLarge

from .diagnosis import diagnose, find_too_deep
from .double_range import BEYOND_DOUBLE, is_beyond_double
from .event import Event, InvalidEvent
from .instant import END, EPOCH, OUTSIDE, cut_timestamp, may_escape_time
from .nesting import SURELY_SHALLOW_BYTES, may_be_too_deep

DEFAULT_MAX_MESSAGE_BYTES = 1024 * 1024
"""Kafka's own default for `message.max.bytes`, and far above any usage event."""

_KINDS = {"[": "an array", '"': "a string", "t": "a boolean", "f": "a boolean"}

_decode = msgspec.json.Decoder(Event).decode
# Reads every number, which `Raw` does not: a float beyond a double is refused, and so is what is no object.
_read_object = msgspec.json.Decoder(dict).decode
# What stands in a time that was rounded up to so many milliseconds; only rounding that carries into a new one counts. A search
# for seven characters is short and finds little else; in a str, as `in` takes twice as long on bytes.
_ROUNDED_UP = [f".{(millisecond - 1) % 1000:03}999" for millisecond in range(1000)]


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
        # msgspec checks the encoding only of what it turns into str: no unknown key, no property.
        text = payload.decode()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise diagnose(payload, error) from error
    if size > SURELY_SHALLOW_BYTES and may_be_too_deep(payload) and (found := find_too_deep(payload)):
        raise found
    try:
        _read_object(event.properties)
    except (msgspec.MsgspecError, RecursionError):
        event = _settle_properties(event)
    timestamp = event.timestamp
    external_customer_id = event.external_customer_id
    if (
        not (external_customer_id or (external_customer_id is None and event.customer_id))
        or not EPOCH <= timestamp < END
        or (
            timestamp.microsecond % 1000 == 0
            and (_ROUNDED_UP[timestamp.microsecond // 1000] in text or ("\\" in text and may_escape_time(payload)))
        )
    ):
        return _settle_odd(event, payload)
    return event


def _settle_odd(event: Event, payload: bytes) -> Event:
    timestamp = cut_timestamp(payload)
    if not EPOCH <= timestamp < END:
        raise InvalidEvent("timestamp", OUTSIDE)
    if not (event.external_customer_id or event.customer_id):
        raise InvalidEvent("customer_id", "missing or empty, and external_customer_id is too")
    return msgspec.structs.replace(event, timestamp=timestamp, external_customer_id=event.external_customer_id or None)


def _settle_properties(event: Event) -> Event:
    properties = bytes(event.properties)
    first = chr(properties[0])
    if first == "n":
        return msgspec.structs.replace(event, properties=msgspec.Raw(b"{}"))
    if first != "{":
        raise InvalidEvent("properties", f"expected an object, got {_KINDS.get(first, 'a number')}")
    if is_beyond_double(properties):
        raise InvalidEvent("properties", BEYOND_DOUBLE)
    return event  # msgspec makes no integer of more than 4,300 digits; the store keeps its text
