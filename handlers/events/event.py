"""A usage event, the error for what is none, and the event as a line for the store."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from millstream.router.errors import PermanentError

from .instant import EPOCH, utc_text

NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One usage event.

    `decode_event` and `create_event` give only valid ones; the constructor itself checks nothing.

    Args:
        id: with the tenant, the environment and the time what makes an event this event.
        timestamp: when it happened, with a zone; the store keeps its milliseconds in UTC.
        external_customer_id: the customer in the tenant's own words; at least one of the two customer ids is there.
        properties: the text of a JSON object, kept as it came, so that no number loses a digit. After `decode_event`
            it is a view on the payload.

    Example:
        >>> payload = b'{"id":"1","tenant_id":"acme","environment_id":"prod","event_name":"call","customer_id":"c-1",'
        >>> event = decode_event(payload + b'"timestamp":"2026-11-23T10:00:00Z","properties":{"bytes":512}}')
        >>> event.id, event.timestamp.isoformat(), bytes(event.properties)
        ('1', '2026-11-23T10:00:00+00:00', b'{"bytes":512}')
    """

    id: NonEmpty
    tenant_id: NonEmpty
    environment_id: NonEmpty
    event_name: NonEmpty
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    external_customer_id: str | None = None
    customer_id: str | None = None
    source: str | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")


class InvalidEvent(PermanentError):
    """A payload is no valid event: its producer's to mend, never retried.

    Args:
        field: the name of the field at fault; None when it is the payload as a whole.
        reason: what is wrong, without the value, which may be anything and of any length.
    """

    def __init__(self, field: str | None, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(reason if field is None else f"{field}: {reason}")


class _Line(msgspec.Struct, gc=False):
    id: str
    external_customer_id: str
    customer_id: str | None
    tenant_id: str
    event_name: str
    timestamp: str
    source: str | None
    properties: msgspec.Raw
    environment_id: str


_encode = msgspec.json.Encoder().encode
_EPOCH_DAY = EPOCH.toordinal()


def canonical_line(event: Event) -> bytes:
    """Write an event as one JSON line with exactly the columns of the table.

    For payloads that are valid but that ClickHouse refuses as they came: duplicate keys, a lower-case `t` or `z` in the
    time, more than 19 digits of fraction, escapes inside the time. And for what it reads differently; see `store_line`.
    """
    line = _encode(
        _Line(
            event.id,
            event.external_customer_id or "",
            event.customer_id,
            event.tenant_id,
            event.event_name,
            utc_text(event.timestamp),
            event.source,
            event.properties,
            event.environment_id,
        )
    )
    # JSON allows no raw line break inside a string, so one that came with the properties stands between two tokens.
    return line.replace(b"\n", b" ").replace(b"\r", b" ")


def day_number(event: Event) -> int:
    """Count the days from 1970-01-01 to the event's day in UTC: which partition its row goes to."""
    timestamp = event.timestamp
    # Half the time of the subtraction, where the calendar day is that of UTC.
    return timestamp.toordinal() - _EPOCH_DAY if timestamp.tzinfo is UTC else (timestamp - EPOCH).days
