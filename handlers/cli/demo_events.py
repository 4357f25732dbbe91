"""Made-up usage events, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

CUSTOMERS = 500
FIRST_DAY = 5
DAYS = 7
"""The events spread over the week from Monday, 2026-01-05, so that the table has several partitions as a real one has."""
EVENT_NAMES = ("api_call", "storage", "egress", "compute")
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-south-1")
STATUSES = (200, 200, 200, 404)
MAX_BYTES = 1_000_000
PARETO_SHAPE = 1.2
"""A few customers cause most of the usage, as they do."""


def make_events(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield events without end, each as (id, JSON).

    Everything but the customer is cut out of one random number: asking for each part cost more than storing the event.
    """
    chance = random.Random(seed)  # noqa: S311 - test data, to be the same every time
    draw, pareto = chance.getrandbits, chance.paretovariate
    while True:
        bits = draw(192)
        event_id = f"{bits >> 64:032x}"
        name, region, status = EVENT_NAMES[bits & 3], REGIONS[bits >> 2 & 3], STATUSES[bits >> 4 & 3]
        second, millisecond = (bits >> 6) % 86_400, (bits >> 24) % 1000
        day, used = FIRST_DAY + (bits >> 34) % DAYS, (bits >> 38) % MAX_BYTES + 1
        customer = min(int(pareto(PARETO_SHAPE)), CUSTOMERS)
        yield (
            event_id,
            (
                f'{{"id":"{event_id}","tenant_id":"acme","environment_id":"production","event_name":"{name}",'
                f'"external_customer_id":"customer-{customer:03d}","source":"demo","timestamp":"2026-01-{day:02d}T'
                f'{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}.{millisecond:03d}Z",'
                f'"properties":{{"bytes":{used},"region":"{region}","status":{status}}}}}'
            ).encode(),
        )
