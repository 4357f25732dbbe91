"""The canonical line and the day of an event."""

import json

import pytest

from millstream.handlers.events.decode import decode_event
from millstream.handlers.events.event import canonical_line, day_number
from millstream.handlers.events.schema import EVENT_COLUMNS
from tests.handlers.events.event_payloads import make_payload, make_raw


def test_the_line_holds_exactly_the_columns() -> None:
    """Every column of the table is there once, in its order, and nothing else."""
    line = canonical_line(decode_event(make_payload(extra=1, ingested_at="x")))

    assert tuple(key for key, _ in json.loads(line, object_pairs_hook=list)) == EVENT_COLUMNS


def test_absent_values_are_written_as_the_table_keeps_them() -> None:
    """No external customer is empty text, no customer and no source are null."""
    line = json.loads(canonical_line(decode_event(make_payload(external_customer_id=None, customer_id="k-1"))))

    assert (line["external_customer_id"], line["customer_id"], line["source"]) == ("", "k-1", None)


def test_the_time_is_written_in_utc_with_microseconds() -> None:
    """Whatever zone and letters the payload used, the line has one form."""
    line = json.loads(canonical_line(decode_event(make_payload(timestamp="2026-11-23 10:00:00.5+05:30"))))

    assert line["timestamp"] == "2026-11-23T04:30:00.500000Z"


def test_line_breaks_between_tokens_become_blanks() -> None:
    """Properties spread over lines stay one line, with every other byte kept."""
    line = canonical_line(decode_event(make_raw(properties=b'{"a":\r\n"x\\n",\n"f":1.50}')))

    assert b"\n" not in line
    assert b"\r" not in line
    assert b'"properties":{"a":  "x\\n", "f":1.50}' in line


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        pytest.param("1970-01-01T00:00:00Z", 0, id="first day"),
        pytest.param("1970-01-01T23:59:59.999Z", 0, id="end of the first day"),
        pytest.param("1970-01-02T05:29:59+05:30", 0, id="another day in its own zone"),
        pytest.param("2299-12-31T23:59:59.9999999Z", 120_529, id="last day"),
    ],
)
def test_days_are_counted_in_utc(timestamp: str, expected: int) -> None:
    """The day is that of the row's partition, not that of the event's zone."""
    event = decode_event(make_payload(timestamp=timestamp))

    assert day_number(event) == expected
