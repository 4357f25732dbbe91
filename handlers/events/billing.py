"""Billing rows: one per event, derived from it alone, so that a redelivered event replaces its row."""

from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec

from millstream.router.errors import ConfigurationError

from .event import Event
from .instant import EPOCH, stored_time

_MILLISECOND = timedelta(milliseconds=1)
_ID_BYTES = 16
"""128 bits: with 10^15 events the chance of two equal ids is about 10^-9."""


class BillingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where billing rows are written: the `[billing]` section.

    Args:
        tenant_id: the tenant that sends the bills, not the one that is billed.
        environment_id: the environment of that tenant.

    Raises:
        ConfigurationError: one of the two is missing or empty.

    Example:
        >>> from millstream.handlers.testing import FakeStore
        >>> billing = BillingConfig(tenant_id="biller", environment_id="prod")
        >>> EventRepository(FakeStore(), billing=billing).rows_per_event
        2
    """

    tenant_id: str = ""
    environment_id: str = ""

    def __post_init__(self) -> None:
        for key in ("tenant_id", "environment_id"):
            if not getattr(self, key):
                raise ConfigurationError(f"billing.{key} is empty; [billing] needs tenant_id and environment_id")


class _Properties(msgspec.Struct, gc=False):
    original_event_id: str
    original_event_name: str
    original_timestamp: datetime
    tenant_id: str
    source: str


class _Line(msgspec.Struct, gc=False):
    id: str
    external_customer_id: str
    customer_id: str
    tenant_id: str
    event_name: str
    timestamp: datetime
    source: str
    properties: _Properties
    environment_id: str


_encode = msgspec.json.Encoder().encode


def billing_line(event: Event, config: BillingConfig) -> bytes:
    """Write the billing row of an event as one JSON line with exactly the columns of the table.

    Its id and time come from the event, at the precision of the store: the same event gives the same line, however
    often it is delivered.
    """
    time = stored_time(event.timestamp)
    return _encode(
        _Line(
            id=_row_id(event, time),
            external_customer_id=event.tenant_id,
            customer_id="",
            tenant_id=config.tenant_id,
            event_name="tenant_event",
            timestamp=time,
            source="system",
            properties=_Properties(event.id, event.event_name, time, event.tenant_id, event.source or ""),
            environment_id=config.environment_id,
        )
    )


def _row_id(event: Event, time: datetime) -> str:
    # As a JSON array no two values run together, whatever characters they hold. Milliseconds as a number: the id must not
    # hang on how a library writes times.
    key = _encode((event.tenant_id, event.environment_id, (time - EPOCH) // _MILLISECOND, event.id))
    return f"event_{blake2b(key, digest_size=_ID_BYTES).hexdigest()}"
