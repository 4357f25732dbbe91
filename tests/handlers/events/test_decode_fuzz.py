"""Properties of `decode_event` over payloads nobody thought of."""

import json
from datetime import date
from math import isinf

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.events.decode import decode_event
from millstream.handlers.events.event import Event, InvalidEvent, canonical_line
from millstream.router.errors import MessageTooLarge
from tests.handlers.events.event_payloads import VALID, make_payload, make_raw

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
TEXTS = st.text(min_size=1)
ZONES = st.sampled_from(["Z", "z", "+05:30", "-0330", "+00:00", "-23:59"])
FRACTIONS = st.just("") | st.from_regex(r"\A\.[0-9]{0,6}[09]{1,15}\Z")
TIMES = st.builds(
    lambda day, separator, time, fraction, zone: f"{day}{separator}{time}{fraction}{zone}",
    st.dates().map(str) | st.dates(min_value=date(1970, 1, 1)).map(str),
    st.sampled_from("Tt "),
    st.times().map(lambda time: time.strftime("%H:%M:%S")),
    FRACTIONS,
    ZONES,
)
DOCUMENTS = st.builds(
    lambda fields, optional: {**VALID, **fields, **optional},
    st.fixed_dictionaries({"id": TEXTS, "tenant_id": TEXTS, "timestamp": TIMES}),
    st.fixed_dictionaries(
        {},
        optional={
            "external_customer_id": st.none() | st.text(),
            "customer_id": st.none() | st.text(),
            "source": st.none() | st.text(),
            "properties": st.none() | st.dictionaries(st.text(), VALUES, max_size=4),
            "extra": VALUES,
        },
    ),
)
PAYLOADS = st.builds(
    lambda document, indent, ascii_only: json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode(),
    DOCUMENTS,
    st.sampled_from([None, 1]),
    st.booleans(),
)
NUMBERS = st.from_regex(
    r"\A-?(0|[1-9][0-9]{0,9}|[1-9][0-9]{290,330})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?\Z", fullmatch=True
)
SPLICES = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b",",
    b"\xff",
    b"\xc3",
    b"\\ud800",
    b"\\udc00",
    b"NaN",
    b"1e999",
    b"\n",
    b"null",
    b"[",
    b"\0",
]


@st.composite
def mutated_payloads(draw: st.DrawFn) -> bytes:
    """Draw a valid payload with up to three cuts, each filled with something nasty."""
    payload = draw(st.just(make_payload()) | PAYLOADS)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(payload)))
        end = draw(st.integers(start, min(len(payload), start + 8)))
        payload = payload[:start] + draw(st.sampled_from(SPLICES) | st.binary(max_size=4)) + payload[end:]
    return payload


def decode_or_refuse(payload: bytes, max_message_bytes: int = 4096) -> Event | None:
    """Give the event, or None when it was refused in one of the two ways allowed."""
    try:
        return decode_event(payload, max_message_bytes=max_message_bytes)
    except (InvalidEvent, MessageTooLarge):
        return None


def refuse_constant(name: str) -> None:
    """Fail on NaN and the infinities, which the standard library would read."""
    raise AssertionError(f"{name} was let through")


def on_one_line(event: Event) -> Event:
    """Give the event with its properties on one line, as its canonical line has them."""
    return msgspec.structs.replace(
        event, properties=msgspec.Raw(bytes(event.properties).replace(b"\n", b" ").replace(b"\r", b" "))
    )


@given(PAYLOADS | mutated_payloads())
def test_what_is_accepted_survives_its_canonical_line(payload: bytes) -> None:
    """An accepted event written as its line and read again is the same event, and its line the same line."""
    event = decode_or_refuse(payload)
    if event is None:
        return
    line = canonical_line(event)
    again = decode_event(line)

    assert again == on_one_line(event)
    assert canonical_line(again) == line
    assert b"\n" not in line


@given(mutated_payloads() | st.binary(max_size=64))
def test_any_bytes_give_an_event_or_an_error_of_ours(payload: bytes) -> None:
    """No payload makes decoding end in anything but an event, `InvalidEvent` or `MessageTooLarge`."""
    event = decode_or_refuse(payload)

    assert event is None or isinstance(event, Event)


@pytest.mark.slow
@given(mutated_payloads())
def test_what_is_accepted_is_strict_json_to_the_standard_library(payload: bytes) -> None:
    """An accepted payload is UTF-8, has no lone surrogate and no NaN anywhere, by an independent parser."""
    if decode_or_refuse(payload) is None:
        return
    document = json.loads(payload.decode(), parse_constant=refuse_constant)
    text = json.dumps(document, ensure_ascii=False)

    assert text.encode().decode() == text


@pytest.mark.slow
@given(NUMBERS)
def test_a_number_is_refused_exactly_when_it_is_a_float_and_no_double_holds_it(number: str) -> None:
    """Python's own reading of the text decides; an integer is kept whatever its length."""
    event = decode_or_refuse(make_raw(properties=b'{"a":[%s]}' % number.encode()))

    assert (event is None) == (any(mark in number for mark in ".eE") and isinf(float(number)))
