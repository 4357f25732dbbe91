"""The marked event by which `millstream doctor --probe` times the way into the store: stored like any, never billed.

The mark is the tenant, not a name or a source: those are the customer's to choose, and whoever could choose the mark would go
without a bill. Who a tenant is, the platform says, and a bill for this one would have nobody to go to.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from .create import create_event
from .event import Event

PROBE_TENANT = "millstream_probe"
"""Reserved: no customer may be called so. Its events get no billing row and are not told to post-processing."""
PROBE_NAME = "millstream_probe"
"""What the event is called, and its environment and customer as well."""


def is_probe(event: Event) -> bool:
    """Return whether *event* is one of ours, which nobody is billed for. Cheap: asked for each event that would be billed."""
    return event.tenant_id == PROBE_TENANT


def make_probe(now: datetime) -> Event:
    """Return a marked event of the time *now*, with an id that no other has: `doctor-` and 32 digits."""
    return create_event(
        id=f"doctor-{uuid.uuid4().hex}",
        tenant_id=PROBE_TENANT,
        environment_id=PROBE_NAME,
        event_name=PROBE_NAME,
        external_customer_id=PROBE_NAME,
        source="millstream doctor",
        timestamp=now,
    )
