"""Events made in Python rather than received."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import NotRequired, TypedDict, Unpack

import msgspec

from .decode import decode_event
from .event import Event, InvalidEvent
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

    Raises:
        InvalidEvent: a field breaks a rule, or the properties hold something JSON cannot say, NaN included.
        MessageTooLarge: the event is longer than 1 MiB as JSON.
        RecursionError: as for `decode_event`, the caller has used up Python's stack.
    """
    try:
        text = json.dumps(properties, allow_nan=False, default=msgspec.to_builtins)
        return decode_event(msgspec.json.encode({**fields, "properties": msgspec.Raw(text.encode())}))
    except RecursionError as error:
        for field, value in {**fields, "properties": properties}.items():
            if object_is_too_deep(value):
                raise InvalidEvent(field, TOO_DEEP) from error
        raise
    except (TypeError, ValueError) as error:
        raise InvalidEvent(None, f"cannot be written as JSON: {error}") from error
