"""Made-up usage events, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

CUSTOMERS = 500
FIRST_TIME = datetime(2026, 1, 1, tzinfo=UTC)
SPAN_SECONDS = 7 * 24 * 3600
"""The events spread over a week, so that the table has several partitions as a real one has."""
EVENT_NAMES = ("api_call", "storage", "egress", "compute")
REGIONS = ("eu-west-1", "eu-central-1", "us-east-1", "ap-south-1")
PARETO_SHAPE = 1.2
"""A few customers cause most of the usage, as they do."""


def make_events(seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield events without end, each as (id, JSON)."""
    chance = random.Random(seed)  # noqa: S311 - test data, to be the same every time
    while True:
        event_id = f"{chance.getrandbits(128):032x}"
        moment = FIRST_TIME + timedelta(milliseconds=chance.randrange(SPAN_SECONDS * 1000))
        customer = min(int(chance.paretovariate(PARETO_SHAPE)), CUSTOMERS)
        yield (
            event_id,
            (
                f'{{"id":"{event_id}","tenant_id":"acme","environment_id":"production",'
                f'"event_name":"{chance.choice(EVENT_NAMES)}","external_customer_id":"customer-{customer:03d}",'
                f'"source":"demo","timestamp":"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",'
                f'"properties":{{"bytes":{chance.randrange(1, 1_000_000)},"region":"{chance.choice(REGIONS)}",'
                f'"status":{chance.choice((200, 200, 200, 404))}}}}}'
            ).encode(),
        )
