"""What the store keeps of a payload is what its event says: the raw way and the canonical one, on a real engine."""

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest

from millstream.handlers.events.decode import decode_event
from millstream.handlers.events.event import Event, canonical_line, day_number
from millstream.handlers.events.instant import stored_time
from millstream.handlers.events.nesting import MAX_LEVELS
from millstream.handlers.events.raw_line import store_line
from millstream.handlers.events.schema import EVENT_COLUMNS, create_events_table
from millstream.handlers.store.errors import DataError
from millstream.handlers.store.identifiers import quote_table
from millstream.handlers.store.protocols import Store
from tests.handlers.events.event_payloads import MISSING, make_payload, make_raw

DEEP = b'{"a":' * MAX_LEVELS + b"1" + b"}" * MAX_LEVELS

STORED_AS_THEY_CAME = [
    pytest.param(make_payload(), id="plain"),
    pytest.param(make_payload(properties=MISSING), id="no properties"),
    pytest.param(make_payload(properties=None, customer_id=None, source=None), id="nulls"),
    pytest.param(make_payload(external_customer_id="", customer_id="k"), id="empty external customer"),
    pytest.param(make_payload(external_customer_id=None, customer_id="k", source=""), id="null external customer"),
    pytest.param(make_payload(customer_id=""), id="empty customer id"),
    pytest.param(make_raw(properties=b'{"n":%s,"f":0.10000000000000000555,"x":1e308}' % (b"7" * 5000)), id="digits"),
    pytest.param(make_raw(properties=b'{ "a" :\r\n\t[1, 2] , "q":"}]\\"{" }'), id="blanks and brackets in text"),
    pytest.param(make_raw(properties=rb'{"u":"na\u00efve \u0000 \ud83d\ude00 \\ud800 \/","a":1,"a":2}'), id="escapes"),
    pytest.param(make_raw(properties=DEEP, extra=DEEP), id="deep"),
    pytest.param(make_raw(id=rb'"a\u0000\n\"\\\/\ud83d\ude00"', source='"é\u2028😀"'.encode()), id="odd text"),
    pytest.param(make_raw(extra=b'[1e999,-0,{"a":"}"}]', **{"": b"1", "properties.a": b"2"}), id="unknown keys"),
    pytest.param(make_payload()[:-1] + b',"zz":1,"zz":2}', id="an unknown key twice"),
    pytest.param(make_payload(PROPERTIES={"b": 1}, Source="x", Customer_Id="k"), id="keys in another case"),
    pytest.param(make_payload().replace(b'"event_name"', rb'"event\u005fname"'), id="an escaped key"),
    pytest.param(b" \n" + make_payload().replace(b", ", b"\r\n\t,\n") + b"\n \t", id="spread over lines"),
    *(
        pytest.param(make_payload(timestamp=text), id=text)
        for text in (
            "1970-01-01T00:00:00Z",
            "1969-12-31T20:00:00.5-05:00",
            "2299-12-31T23:59:59.9999999Z",
            "2106-02-07T06:28:16.5+00:00",
            "2020-01-01 00:00:00.123456-0530",
            "2020-01-01T00:00:00+23:59",
            "2020-01-01T00:00:00-00:30",
            "2020-01-01T00:00:00.1239996Z",
            "2020-01-01T23:59:59.9999999999999999999Z",
            "2020-02-29T00:00:00.000999999Z",
        )
    ),
]

READ_DIFFERENTLY = [
    pytest.param(make_payload(timestamp=text), id=text)
    for text in (
        "2300-01-01T05:29:59.999+05:30",
        "2300-01-01T00:00:00+00:01",
        "2300-01-01 23:58:59.9999999+2359",
        "1969-12-31T23:59:59.5-00:01",
        "1969-12-31T00:30:00-23:59",
    )
]
"""Times within 1970 to 2299 whose year, as it is written, is not; ClickHouse 23.10 to 26.3 store 2300 a day early."""

STORED_BY_THEIR_LINE = [
    pytest.param(make_payload()[:-1] + b',"id":"e-2"}', id="a key twice"),
    pytest.param(make_payload(customer_id="k", source="s")[:-1] + b',"id":"e-2"}', id="a key twice behind all columns"),
    pytest.param(make_payload()[:-1] + b',"properties":{"b":\n2}}', id="properties twice"),
    pytest.param(make_payload(timestamp="2020-01-01t00:00:00Z"), id="lower-case t"),
    pytest.param(make_payload(timestamp="2020-01-01T00:00:00z"), id="lower-case z"),
    pytest.param(make_payload(timestamp="2020-01-01T00:00:00.99999999999999999999Z"), id="20 digits of fraction"),
    pytest.param(make_raw(timestamp=rb'"2020\u002d01-01T00:00:00Z"'), id="an escape in the time"),
    pytest.param(make_raw(timestamp=rb'"2020-01-01T23:59:59.99999\u00399Z"'), id="escaped digits at its end"),
    pytest.param(make_raw(timestamp=rb'"2020-01-01T23:59:59.9999\u0039\u0039\u0039\u005a"'), id="an escaped end"),
]

BESIDE_A_LONG_INTEGER = (
    """JSONExtractInt(replaceRegexpAll(properties, '([:,\\\\[]\\\\s*)(-?[0-9]{19,})', '\\\\1"\\\\2"'), 'bytes')"""
)


@pytest.fixture(name="events")
def events_fixture(chdb_store: Store, database: str) -> str:
    """Give the quoted name of a fresh events table."""
    for statement in create_events_table(database, "events"):
        chdb_store.command(statement)
    return quote_table(database, "events")


def row_of(event: Event, properties: bytes) -> tuple[object, ...]:
    """Give the row that stands for an event, in the order of the columns, and its partition."""
    return (
        event.id,
        event.external_customer_id or "",
        event.customer_id,
        event.tenant_id,
        event.event_name,
        stored_time(event.timestamp).replace(tzinfo=None),
        event.source,
        properties.decode(),
        event.environment_id,
        datetime.fromtimestamp(day_number(event) * 86400, UTC).strftime("%Y%m%d"),
    )


def stored_rows(store: Store, table: str) -> list[tuple[object, ...]]:
    """Give all rows of the table, in the order of the columns, each with its partition."""
    return store.query(f"SELECT {', '.join(EVENT_COLUMNS)}, _partition_id FROM {table}").rows


@pytest.mark.parametrize("payload", STORED_AS_THEY_CAME)
def test_the_row_of_a_raw_payload_is_what_its_event_says(chdb_store: Store, events: str, payload: bytes) -> None:
    """Sent as it came, a payload is stored value for value as the event that was checked."""
    event = decode_event(payload)
    chdb_store.insert_lines(events, EVENT_COLUMNS, payload, "raw")

    assert stored_rows(chdb_store, events) == [row_of(event, bytes(event.properties))]


@pytest.mark.parametrize("payload", READ_DIFFERENTLY)
def test_a_time_some_engine_reads_differently_goes_as_a_line(chdb_store: Store, events: str, payload: bytes) -> None:
    """The year that the text names decides, not the one in UTC: the canonical line says the same in every engine."""
    event = decode_event(payload)
    line = store_line(event, payload)
    chdb_store.insert_lines(events, EVENT_COLUMNS, line, "line")

    assert line == canonical_line(event)
    assert stored_rows(chdb_store, events) == [row_of(event, bytes(event.properties))]


@pytest.mark.parametrize("payload", STORED_AS_THEY_CAME)
def test_what_is_read_alike_goes_as_it_came(payload: bytes) -> None:
    """The canonical line is for times at the edges, and for what the store has refused."""
    event = decode_event(payload)

    assert store_line(event, payload) == (payload if event.timestamp.year >= 1970 else canonical_line(event))


@pytest.mark.parametrize(
    "properties",
    [
        pytest.param(b'{"bytes":512,"trace":100000000000000000000000000}', id="behind it"),
        pytest.param(b'{"ids": [ -9223372036854775809, 18446744073709551616 ], "bytes": 512}', id="before it, spaced"),
    ],
)
def test_the_query_of_the_docs_counts_beside_a_long_integer(chdb_store: Store, events: str, properties: bytes) -> None:
    """The digits are stored as they came, and what docs/events.md says to ask gives the number beside them."""
    payload = make_raw(properties=properties)
    chdb_store.insert_lines(events, EVENT_COLUMNS, store_line(decode_event(payload), payload), "raw")

    assert BESIDE_A_LONG_INTEGER in (Path(__file__).parents[3] / "docs" / "events.md").read_text()
    assert chdb_store.query(f"SELECT properties, {BESIDE_A_LONG_INTEGER} FROM {events}").rows == [
        (properties.decode(), 512)
    ]


@pytest.mark.parametrize("payload", STORED_BY_THEIR_LINE)
def test_a_payload_the_store_refuses_is_stored_by_its_line(chdb_store: Store, events: str, payload: bytes) -> None:
    """What the engine refuses as it came is refused aloud, and its canonical line stores the event."""
    event = decode_event(payload)
    with pytest.raises(DataError):
        chdb_store.insert_lines(events, EVENT_COLUMNS, payload, "raw")
    chdb_store.insert_lines(events, EVENT_COLUMNS, canonical_line(event), "line")

    assert stored_rows(chdb_store, events) == [row_of(event, bytes(event.properties).replace(b"\n", b" "))]


def test_raw_payloads_join_with_line_breaks(chdb_store: Store, events: str) -> None:
    """All payloads in one block, however they are spread over lines, give each its row."""
    # A tenant each: the engine replaces rows of equal key already within one INSERT.
    payloads = [
        cast("bytes", case.values[0]).replace(b'"acme"', b'"acme-%d"' % number)
        for number, case in enumerate(STORED_AS_THEY_CAME)
    ]
    chdb_store.insert_lines(events, EVENT_COLUMNS, b"\n".join(payloads), "block")
    expected = [row_of(event, bytes(event.properties)) for event in map(decode_event, payloads)]

    assert sorted(stored_rows(chdb_store, events), key=repr) == sorted(expected, key=repr)
