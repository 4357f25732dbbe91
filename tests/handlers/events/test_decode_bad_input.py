"""Every kind of bad input, with the field it is laid at and the reason given."""

import pytest

from millstream.handlers.events.decode import decode_event
from millstream.handlers.events.event import InvalidEvent
from tests.handlers.events.event_payloads import MISSING, make_payload, make_raw

VALID = make_payload()
OUTSIDE = "outside 1970-01-01 to 2299-12-31 (UTC)"
NO_TIME = "not a date and time after RFC 3339"
IMPOSSIBLE = "no such date or time of day"

MALFORMED = [
    pytest.param(b"", None, "empty", id="empty"),
    pytest.param(b" \r\n\t", None, "empty", id="blank"),
    pytest.param(b"hello", None, "malformed JSON at byte 0: expected '{'", id="plain text"),
    pytest.param(b'{"id":"a', "id", "malformed JSON at byte 6: unterminated string", id="ends inside a string"),
    pytest.param(b'{"id":"a"', None, "malformed JSON at byte 9: expected ','", id="ends inside the object"),
    pytest.param(b'{"id" "a"}', "id", "malformed JSON at byte 6: expected ':'", id="no colon"),
    pytest.param(b'{"id":}', "id", "malformed JSON at byte 6: expecting value", id="no value"),
    pytest.param(b"{id:1}", None, "malformed JSON at byte 1: expected a key in double quotes", id="bare key"),
    pytest.param(VALID[:-1] + b",}", None, "expected a key in double quotes", id="trailing comma"),
    pytest.param(VALID + b" {}", None, f"at byte {len(VALID) + 1}: more text after the object", id="two documents"),
    pytest.param(make_raw(properties=b'{"a":01}'), "properties", "malformed JSON", id="leading zero"),
    pytest.param(make_raw(properties=b'{"a":"\n"}'), "properties", "invalid control character", id="raw line break"),
    pytest.param(make_raw(properties=rb'{"a":"\x"}'), "properties", r"invalid \escape", id="unknown escape"),
    pytest.param(b"[]", None, "expected object, got array", id="array"),
    pytest.param(b"null", None, "expected object, got null", id="null"),
    pytest.param(b"\xef\xbb\xbf" + VALID, None, "starts with a byte order mark", id="byte order mark"),
]

ENCODING = [
    pytest.param(make_raw(id=b'"\xff"'), "id", "not UTF-8 at byte 7", id="in a field"),
    pytest.param(make_raw(properties=b'{"a":"\xc3"}'), "properties", "not UTF-8 at byte", id="in properties"),
    pytest.param(make_raw(properties=b'{"\xed\xa0\x80":1}'), "properties", "not UTF-8", id="encoded surrogate"),
    pytest.param(make_raw(extra=b'"\xc0\x80"'), "extra", "not UTF-8", id="overlong, in an unknown value"),
    pytest.param(VALID[:-1] + b',"k\xfe":1}', "k\\udcfe", "not UTF-8", id="in an unknown key"),
    pytest.param(make_raw(id=rb'"\ud800"'), "id", "lone surrogate at byte 7", id="high surrogate in a field"),
    pytest.param(make_raw(properties=rb'{"a":"\uDE00"}'), "properties", "lone surrogate", id="low surrogate"),
    pytest.param(make_raw(properties=rb'{"\ud800\u0041":1}'), "properties", "lone surrogate", id="high and no low"),
    pytest.param(
        make_raw(properties=rb'{"a":"\ud83d\ude00\ude00"}'), "properties", "lone surrogate", id="low after a pair"
    ),
    pytest.param(make_raw(extra=rb'"\\\ud800..."'), "extra", "lone surrogate", id="after an escaped backslash"),
    pytest.param(VALID[:-1] + rb',"\ud800xxxx":1}', "\\ud800xxxx", "lone surrogate", id="surrogate in an unknown key"),
]

BEYOND_DOUBLE = "holds a float beyond the range of a double, such as 1e999"

LARGE_FLOATS = [
    pytest.param(make_raw(properties=b'{"a":%s}' % text), "properties", BEYOND_DOUBLE, id=name)
    for name, text in {
        "1e999": b"1e999",
        "negative": b"-1e999",
        "upper case and plus": b"1E+999",
        "two digits of exponent and plus": b"%se+60" % (b"7" * 250),
        "the first beyond": b"1.7976931348623159e308",
        "leading zeros in the exponent": b"1e00000309",
        "a long mantissa": b"0.%s1e712" % (b"0" * 400),
        "400 digits and a point": b"%s.5" % (b"7" * 400),
        "400 digits and a negative exponent": b"%se-9" % (b"7" * 400),
        "in an array": b'[ 1 ,"1e9",\n1e999\n]',
        "behind text that looks like one": rb'{"\"1e999,":"2e999,\\","b":1e999}',
        "behind a random id": b'["5ca9e578-8823-4a58-9e12-3e456e789e01",1e999]',
    }.items()
] + [
    pytest.param(
        make_raw(properties=b'{"a":%s,"b":1e999}' % (b"7" * 5000)), "properties", BEYOND_DOUBLE, id="long integer"
    ),
    pytest.param(make_raw(id=b"1e999"), "id", "out of range", id="as a field"),
]

NUMBERS_AND_DEPTH = [
    pytest.param(make_raw(properties=b'{"a":NaN}'), "properties", "NaN is not JSON", id="NaN"),
    pytest.param(make_raw(properties=b'{"a":[-Infinity]}'), "properties", "-Infinity is not JSON", id="infinity"),
    pytest.param(make_raw(extra=b"Infinity"), "extra", "Infinity is not JSON", id="unknown key"),
    pytest.param(make_raw(timestamp=b"NaN"), "timestamp", "NaN is not JSON", id="NaN as a time"),
    pytest.param(
        make_raw(properties=b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "properties", "nested too deeply", id="deep"
    ),
    pytest.param(make_raw(extra=b"[" * 100_000), "extra", "nested too deeply", id="deep and unfinished"),
]

FIELDS = [
    param
    for field in ("id", "tenant_id", "environment_id", "event_name")
    for param in (
        pytest.param(make_payload(**{field: MISSING}), field, "missing", id=f"{field} missing"),
        pytest.param(make_payload(**{field: ""}), field, "empty", id=f"{field} empty"),
        pytest.param(make_payload(**{field: 7}), field, "expected str, got int", id=f"{field} a number"),
        pytest.param(make_payload(**{field: None}), field, "expected str, got null", id=f"{field} null"),
    )
]

CUSTOMERS = [
    pytest.param(make_payload(external_customer_id=MISSING), "customer_id", "missing or empty", id="missing"),
    pytest.param(
        make_payload(external_customer_id=None, customer_id=None), "customer_id", "missing or empty", id="null"
    ),
    pytest.param(make_payload(external_customer_id="", customer_id=""), "customer_id", "missing or empty", id="empty"),
    pytest.param(make_payload(customer_id=7), "customer_id", "expected str or null, got int", id="a number"),
    pytest.param(make_payload(source=[]), "source", "expected str or null, got array", id="source an array"),
]

TIMES = [
    pytest.param(make_payload(timestamp=MISSING), "timestamp", "missing", id="missing"),
    pytest.param(make_payload(timestamp=None), "timestamp", "expected datetime, got null", id="null"),
    pytest.param(make_payload(timestamp=1577836800), "timestamp", "expected datetime, got int", id="a number"),
    pytest.param(make_payload(timestamp="2020-01-01T00:00:00"), "timestamp", "has no zone", id="no zone"),
    pytest.param(make_payload(timestamp="yesterday"), "timestamp", NO_TIME, id="a word"),
    pytest.param(make_payload(timestamp="2020-01-01"), "timestamp", NO_TIME, id="a date alone"),
    pytest.param(make_payload(timestamp="2020-02-30T00:00:00Z"), "timestamp", IMPOSSIBLE, id="30 February"),
    pytest.param(make_payload(timestamp="2016-12-31T23:59:60Z"), "timestamp", IMPOSSIBLE, id="leap second"),
    pytest.param(
        make_payload(timestamp="2020-01-01T00:00:00+05:30:15"), "timestamp", NO_TIME, id="seconds in the offset"
    ),
    pytest.param(make_payload(timestamp="1969-12-31T23:59:59.999Z"), "timestamp", OUTSIDE, id="too early"),
    pytest.param(make_payload(timestamp="1970-01-01T00:00:00+05:30"), "timestamp", OUTSIDE, id="too early by its zone"),
    pytest.param(make_payload(timestamp="0001-01-01T00:00:00+05:00"), "timestamp", OUTSIDE, id="before the year 1"),
    pytest.param(make_payload(timestamp="2300-01-01T00:00:00Z"), "timestamp", OUTSIDE, id="too late"),
    pytest.param(make_payload(timestamp="2299-12-31T23:00:00-01:00"), "timestamp", OUTSIDE, id="too late by its zone"),
    pytest.param(make_payload(timestamp="9999-12-31T23:59:59.9999999Z"), "timestamp", OUTSIDE, id="the last year"),
]

PROPERTIES = [
    pytest.param(make_payload(properties=[]), "properties", "expected an object, got an array", id="array"),
    pytest.param(make_payload(properties="{}"), "properties", "expected an object, got a string", id="string"),
    pytest.param(make_payload(properties=-1), "properties", "expected an object, got a number", id="number"),
    pytest.param(make_payload(properties=False), "properties", "expected an object, got a boolean", id="boolean"),
]


@pytest.mark.parametrize(
    ("payload", "field", "reason"),
    MALFORMED + ENCODING + LARGE_FLOATS + NUMBERS_AND_DEPTH + FIELDS + CUSTOMERS + TIMES + PROPERTIES,
)
def test_bad_input_is_refused_with_its_field_and_reason(payload: bytes, field: str | None, reason: str) -> None:
    """Each kind of bad input is refused on its own, and the error says where and why."""
    with pytest.raises(InvalidEvent) as caught:
        decode_event(payload)

    assert caught.value.field == field
    assert reason in caught.value.reason
    assert str(caught.value) == (caught.value.reason if field is None else f"{field}: {caught.value.reason}")
