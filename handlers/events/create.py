"""Events made in Python rather than received."""

import json
from collections.abc import Mapping
from datetime import datetime, time
from typing import NotRequired, TypedDict, Unpack

import msgspec

from .decode import decode_event
from .event import Event, InvalidEvent
from .instant import OUTSIDE, has_whole_minutes, with_whole_minutes
from .nesting import TOO_DEEP, object_is_too_deep


class EventFields(TypedDict):
    """The fields of an `Event` beside its properties, as `create_event` takes them."""

    id: str
    tenant_id: str
    environment_id: str
    event_name: str
    timestamp: datetime
    external_customer_id: NotRequired[str | None]
    customer_id: NotRequired[str | None]
    source: NotRequired[str | None]


def create_event(properties: Mapping[str, object] | None = None, **fields: Unpack[EventFields]) -> Event:
    """Make a valid event from Python values, under the same rules as `decode_event`.

    Args:
        properties: None is `{}`; else what JSON can say, and what msgspec turns into that (`Decimal`, `UUID` and
            `datetime` become text).
        fields: an offset with seconds in it, which JSON cannot say, is brought to UTC; the point in time stays exact.

    Raises:
        InvalidEvent: a field breaks a rule, or the properties hold something JSON cannot say, NaN included.
        MessageTooLarge: the event is longer than 1 MiB as JSON.
        RecursionError: as for `decode_event`, the caller has used up Python's stack.
    """
    try:
        text = json.dumps(properties, allow_nan=False, default=_to_builtins)
        return decode_event(msgspec.json.encode({**_exact(fields), "properties": msgspec.Raw(text.encode())}))
    except RecursionError as error:
        for field, value in {**fields, "properties": properties}.items():
            if object_is_too_deep(value):
                raise InvalidEvent(field, TOO_DEEP) from error
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidEvent(None, f"cannot be written as JSON: {error}") from error


def encode_event(event: Event) -> bytes:
    """Write *event* as the JSON that `decode_event` reads, with the time as exact as it is."""
    timestamp = with_whole_minutes(event.timestamp)
    return msgspec.json.encode(
        event if timestamp is event.timestamp else msgspec.structs.replace(event, timestamp=timestamp)
    )


def _exact(fields: EventFields) -> EventFields:
    timestamp: object = fields.get("timestamp")
    if not isinstance(timestamp, datetime):
        return fields
    try:
        return {**fields, "timestamp": with_whole_minutes(timestamp)}
    except OverflowError as error:
        raise InvalidEvent("timestamp", OUTSIDE) from error


def _to_builtins(value: object) -> object:
    if isinstance(value, datetime):
        return msgspec.to_builtins(with_whole_minutes(value))
    if isinstance(value, time):
        if not has_whole_minutes(value.utcoffset()):
            raise ValueError("a time of day whose offset has seconds")
        return msgspec.to_builtins(value)
    return msgspec.to_builtins(value, builtin_types=(datetime, time))
