"""What `decode_event` accepts, and what it makes of it."""

from datetime import UTC, datetime

import msgspec
import pytest

from millstream.handlers.events.create import create_event
from millstream.handlers.events.decode import decode_event
from millstream.handlers.events.event import Event, InvalidEvent
from millstream.router.errors import MessageTooLarge, PermanentError
from tests.handlers.events.event_payloads import MISSING, make_payload, make_raw


def test_every_field_is_read_and_unknown_keys_are_ignored() -> None:
    """A full event comes back field by field; what the table does not know is dropped."""
    payload = make_payload(customer_id="k-1", source="sdk", ingested_at="0001-01-01T00:00:00Z", extra={"a": [1]})

    assert decode_event(payload) == Event(
        id="e-1",
        tenant_id="acme",
        environment_id="production",
        event_name="api_call",
        timestamp=datetime(2026, 11, 23, 10, 0, 0, 123000, tzinfo=UTC),
        external_customer_id="c-1",
        customer_id="k-1",
        source="sdk",
        properties=msgspec.Raw(b'{"bytes": 7}'),
    )


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(make_payload(properties=MISSING), id="missing"),
        pytest.param(make_payload(properties=None), id="null"),
    ],
)
def test_no_properties_are_an_empty_object(payload: bytes) -> None:
    """Missing and null properties read as `{}`, as the table's default does."""
    event = decode_event(payload)

    assert bytes(event.properties) == b"{}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"n":12345678901234567890123,"f":0.1000000000000000055511151231257827}', id="many digits"),
        pytest.param(
            b'{"n":18446744073709551616,"m":-%s}' % (b"1" * 5000), id="integers beyond 64 bits and every double"
        ),
        pytest.param(b'{"n":%s}' % (b"1" * 309 + b"e-200"), id="many digits in a double's range"),
        pytest.param(b'{"n":1.7976931348623157e308,"m":-1e308,"o":0e999,"p":1e-999,"q":-0.0}', id="ends of a double"),
        pytest.param(b'{"n":"1e999","m":" 1e999, ","1e999 ":1}', id="text that looks like a large float"),
        pytest.param(b'{ "a" :\r\n\t[1, 2] }', id="blanks and line breaks"),
        pytest.param(rb'{"a":"\ud83d\ude00 \\ud800 \u0000 \/"}', id="escapes, a pair and an escaped backslash"),
        pytest.param('{"é":"\u2603😀"}'.encode(), id="beyond ASCII"),
        pytest.param(b'{"a":1,"a":2}', id="a key twice"),
    ],
)
def test_properties_keep_their_text(text: bytes) -> None:
    """Properties come back byte for byte."""
    event = decode_event(make_raw(properties=text))

    assert bytes(event.properties) == text


@pytest.mark.parametrize(
    ("external_customer_id", "customer_id", "expected"),
    [
        pytest.param("", "k-1", (None, "k-1"), id="empty external id is none"),
        pytest.param(None, "k-1", (None, "k-1"), id="customer id alone"),
        pytest.param("c-1", "", ("c-1", ""), id="external id alone, empty customer id kept"),
    ],
)
def test_one_customer_is_enough(
    external_customer_id: str | None, customer_id: str | None, expected: tuple[str | None, str | None]
) -> None:
    """Either customer id will do; an empty external one reads as None, as the table stores both the same."""
    event = decode_event(make_payload(external_customer_id=external_customer_id, customer_id=customer_id))

    assert (event.external_customer_id, event.customer_id) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2020-01-01t00:00:00z", "2020-01-01T00:00:00+00:00", id="lower case"),
        pytest.param("2020-01-01 00:00:00Z", "2020-01-01T00:00:00+00:00", id="space"),
        pytest.param("2020-01-01T00:00:00+0530", "2019-12-31T18:30:00+00:00", id="offset without colon"),
        pytest.param("1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:00", id="first instant"),
        pytest.param("1969-12-31T20:00:00-05:00", "1970-01-01T01:00:00+00:00", id="first day by its zone"),
        pytest.param("2299-12-31T23:59:59.999999Z", "2299-12-31T23:59:59.999999+00:00", id="last instant"),
        pytest.param("2299-12-31T23:59:59.9999999Z", "2299-12-31T23:59:59.999999+00:00", id="last instant, cut"),
        pytest.param(
            "2020-01-01T00:00:00.1239996Z", "2020-01-01T00:00:00.123999+00:00", id="millisecond not rounded up"
        ),
        pytest.param("2020-01-01T23:59:59.9999999Z", "2020-01-01T23:59:59.999999+00:00", id="second not rounded up"),
        pytest.param("2020-01-01T00:00:00.123000Z", "2020-01-01T00:00:00.123000+00:00", id="whole millisecond"),
    ],
)
def test_times_are_read_as_the_store_keeps_them(text: str, expected: str) -> None:
    """A time is the instant its text says, its fraction cut and never rounded into another millisecond."""
    event = decode_event(make_payload(timestamp=text, id="999999"))

    assert event.timestamp == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(rb'"2020-01-01T23:59:59.99999\u00399Z"', "2020-01-01T23:59:59.999999+00:00", id="last digits"),
        pytest.param(
            rb'"2020-01-01T23:59:59.99999\u003999999Z"', "2020-01-01T23:59:59.999999+00:00", id="a digit between"
        ),
        pytest.param(
            rb'"2020-01-01T00:00:00.\u0031\u0032\u0033\u0039\u0039\u0039\u0036Z"',
            "2020-01-01T00:00:00.123999+00:00",
            id="all of the fraction",
        ),
        pytest.param(
            rb'"2020\u002D01-01\u005423\u003a59:59.9999\u0039\u0039\u0039\u002B00:00"',
            "2020-01-01T23:59:59.999999+00:00",
            id="other characters",
        ),
    ],
)
def test_a_time_written_with_escapes_is_read_like_one_without(raw: bytes, expected: str) -> None:
    """Digits that are written as escapes are cut like others, and never rounded into another second."""
    event = decode_event(make_raw(timestamp=raw))

    assert event.timestamp == datetime.fromisoformat(expected)


def test_a_message_of_the_limit_passes_and_one_byte_more_does_not() -> None:
    """The limit counts bytes and is itself allowed."""
    payload = make_payload()
    event = decode_event(payload, max_message_bytes=len(payload))
    with pytest.raises(MessageTooLarge) as caught:
        decode_event(payload, max_message_bytes=len(payload) - 1)

    assert event.id == "e-1"
    assert caught.value.size_bytes == len(payload)


def test_the_default_limit_is_one_mebibyte() -> None:
    """Without a limit of its own a payload over 1 MiB is too large."""
    with pytest.raises(MessageTooLarge) as caught:
        decode_event(b" " * (1024 * 1024 + 1))

    assert caught.value.max_message_bytes == 1024 * 1024


def test_an_invalid_event_is_a_permanent_error() -> None:
    """It goes to the poison sink by its class, never to a retry."""
    assert issubclass(InvalidEvent, PermanentError)


def test_created_event_equals_the_decoded_one() -> None:
    """An event made in Python is the one its JSON would give."""
    event = create_event(
        {"bytes": 7},
        id="e-1",
        tenant_id="acme",
        environment_id="production",
        event_name="api_call",
        timestamp=datetime(2026, 11, 23, 10, 0, 0, 123000, tzinfo=UTC),
        external_customer_id="c-1",
    )

    assert event == decode_event(make_payload())


def test_an_event_can_be_created_without_properties() -> None:
    """No properties are an empty object, as in a payload."""
    event = create_event(
        id="e",
        tenant_id="t",
        environment_id="p",
        event_name="n",
        timestamp=datetime(2026, 11, 23, tzinfo=UTC),
        customer_id="c",
    )

    assert bytes(event.properties) == b"{}"


@pytest.mark.parametrize(
    ("properties", "timestamp", "field"),
    [
        pytest.param({}, datetime(2026, 11, 23), "timestamp", id="time without a zone"),
        pytest.param({"a": float("nan")}, datetime(2026, 11, 23, tzinfo=UTC), None, id="not a number"),
        pytest.param({"a": object()}, datetime(2026, 11, 23, tzinfo=UTC), None, id="not JSON"),
        pytest.param({"a": "\ud800"}, datetime(2026, 11, 23, tzinfo=UTC), "properties", id="lone surrogate"),
    ],
)
def test_creating_an_event_keeps_the_rules(
    properties: dict[str, object], timestamp: datetime, field: str | None
) -> None:
    """What could not be received cannot be created either."""
    with pytest.raises(InvalidEvent) as caught:
        create_event(
            properties,
            id="e",
            tenant_id="t",
            environment_id="p",
            event_name="n",
            timestamp=timestamp,
            customer_id="c",
        )

    assert caught.value.field == field
