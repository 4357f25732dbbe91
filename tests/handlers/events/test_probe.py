"""A probe of `doctor`: stored like any event, and nobody is billed for it or told of it."""

import json
from datetime import UTC, datetime

import pytest

from millstream.handlers.batching import Batch
from millstream.handlers.events import BillingConfig, PostProcessor
from millstream.handlers.events.create import encode_event
from millstream.handlers.events.probe import PROBE_TENANT, is_probe, make_probe
from millstream.handlers.testing import FakeStore
from millstream.router.testing import RecordingPublisher
from tests.handlers.events.event_payloads import make_payload
from tests.handlers.events.service_aids import batch_of, make_service

BILLING = BillingConfig(tenant_id="biller", environment_id="prod")
PROBE = make_probe(datetime(2026, 11, 23, tzinfo=UTC))


def test_a_probe_has_no_billing_row_and_its_neighbours_have_theirs() -> None:
    """Expect one row of the probe beside two of the event that came with it, and as many counted."""
    store = FakeStore()
    service = make_service(store, billing=BILLING)
    service.process_batch(batch_of(encode_event(PROBE), make_payload(id="e-2")))
    rows = [(row["tenant_id"], row["event_name"]) for row in map(json.loads, store.rows())]

    assert rows == [(PROBE_TENANT, PROBE.event_name), ("acme", "api_call"), ("biller", "tenant_event")]
    assert (service.stats.events, service.stats.rows) == (2, 3)


def test_a_probe_that_is_written_anew_has_no_billing_row() -> None:
    """Expect none either where the store refuses the bytes as they came and takes the canonical form."""
    store = FakeStore()
    came = encode_event(PROBE)
    store.refuse_lines(lambda line: line == came)
    make_service(store, billing=BILLING).process_batch(Batch(batch_of(came)))

    assert [json.loads(line)["tenant_id"] for line in store.rows()] == [PROBE_TENANT]


def test_a_probe_is_not_told_to_post_processing() -> None:
    """Expect its neighbour to be told alone, and nothing to be sent where it is alone."""
    sent = RecordingPublisher()
    service = make_service(post_processor=PostProcessor(sent, "stored"))
    service.process_batch(batch_of(encode_event(PROBE), make_payload(id="e-2")))
    service.process_batch(batch_of(encode_event(PROBE)))

    assert [message.uuid for message in sent.messages("stored")] == ["e-2"]
    assert service.stats.events == 3


@pytest.mark.parametrize("field", ["event_name", "environment_id", "source", "external_customer_id", "id"])
def test_nothing_that_a_customer_may_choose_makes_a_probe(field: str) -> None:
    """Expect an event that has any other field of a probe to be billed: nobody goes without a bill by a name."""
    store = FakeStore()
    make_service(store, billing=BILLING).process_batch(batch_of(make_payload(**{field: getattr(PROBE, field)})))

    assert len(store.rows()) == 2


def test_each_probe_is_another_event() -> None:
    """Expect ids that differ, each with the word that says where it came from."""
    other = make_probe(PROBE.timestamp)

    assert PROBE.id != other.id
    assert other.id.startswith("doctor-")
    assert is_probe(other)
