"""Billing rows."""

import json

import pytest

from millstream.handlers.events.billing import BillingConfig, billing_line
from millstream.handlers.events.decode import decode_event
from millstream.handlers.events.schema import EVENT_COLUMNS
from millstream.router.errors import ConfigurationError
from tests.handlers.events.event_payloads import make_payload

CONFIG = BillingConfig(tenant_id="biller", environment_id="prod")


def line_of(**changes: object) -> bytes:
    """Give the billing line of a valid event with some fields changed."""
    return billing_line(decode_event(make_payload(**changes)), CONFIG)


def id_of(**changes: object) -> str:
    """Give the id in that line."""
    return str(json.loads(line_of(**changes))["id"])


def test_the_row_names_biller_billed_and_source_event() -> None:
    """Tenant and environment are the biller's; the customer is the event's tenant; the properties tell the source."""
    row = json.loads(line_of(source="sdk"))
    row_id = row.pop("id")

    assert row_id.startswith("event_")
    assert row == {
        "external_customer_id": "acme",
        "customer_id": "",
        "tenant_id": "biller",
        "event_name": "tenant_event",
        "timestamp": "2026-11-23T10:00:00.123000Z",
        "source": "system",
        "properties": {
            "original_event_id": "e-1",
            "original_event_name": "api_call",
            "original_timestamp": "2026-11-23T10:00:00.123000Z",
            "tenant_id": "acme",
            "source": "sdk",
        },
        "environment_id": "prod",
    }


def test_the_row_has_the_columns_of_the_table() -> None:
    """A billing row goes into the same INSERT as the events."""
    pairs = json.loads(line_of(), object_pairs_hook=list)

    assert tuple(key for key, _ in pairs) == EVENT_COLUMNS


@pytest.mark.parametrize(
    "timestamp",
    [
        pytest.param("2026-11-23T10:00:00.123Z", id="the same"),
        pytest.param("2026-11-23T15:30:00.123+05:30", id="another zone"),
        pytest.param("2026-11-23T10:00:00.1239996Z", id="more digits than the store keeps"),
    ],
)
def test_a_redelivered_event_gives_the_identical_line(timestamp: str) -> None:
    """What the store cannot tell apart makes no second billing row."""
    assert line_of(timestamp=timestamp) == line_of()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"id": "e-2"}, id="id"),
        pytest.param({"tenant_id": "other"}, id="tenant"),
        pytest.param({"environment_id": "other"}, id="environment"),
        pytest.param({"timestamp": "2026-11-23T10:00:00.124Z"}, id="millisecond"),
    ],
)
def test_each_part_of_the_key_makes_another_row(changes: dict[str, str]) -> None:
    """Tenant, environment, time and id each tell two events apart."""
    assert id_of(**changes) != id_of()


def test_parts_of_the_key_do_not_run_together() -> None:
    """Quotes and commas in an id cannot make two different events look like one."""
    assert id_of(tenant_id='a","b', environment_id="c") != id_of(tenant_id="a", environment_id='b","c')


def test_the_id_is_the_same_in_every_version() -> None:
    """Rows written by one release are replaced, not doubled, by the next."""
    assert id_of() == "event_4fee94e849af28fa9e56ca4bffb9d163"


def test_values_are_escaped() -> None:
    """Quotes, line breaks and backslashes in an event stay inside their value."""
    nasty = 'a"b\\c\nd'
    line = line_of(id=nasty, tenant_id=nasty, event_name=nasty, source=nasty)
    row = json.loads(line)

    assert b"\n" not in line
    assert set(row["properties"].values()) == {nasty, "2026-11-23T10:00:00.123000Z"}
    assert row["external_customer_id"] == nasty


def test_an_event_without_source_is_billed_with_an_empty_one() -> None:
    """The source in the properties is always text."""
    assert json.loads(line_of())["properties"]["source"] == ""


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        pytest.param({"tenant_id": "biller"}, "billing.environment_id", id="no environment"),
        pytest.param({"environment_id": "prod"}, "billing.tenant_id", id="no tenant"),
        pytest.param({"tenant_id": "", "environment_id": "prod"}, "billing.tenant_id", id="empty tenant"),
    ],
)
def test_billing_needs_both_ids(given: dict[str, str], missing: str) -> None:
    """Half a billing section is an error that names the key."""
    with pytest.raises(ConfigurationError, match=missing):
        BillingConfig(**given)
