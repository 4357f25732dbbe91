"""Many events at once: exactly those that `decode_event` reads from each, or none where one may be odd."""

import json
from datetime import datetime, timedelta
from itertools import pairwise, product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.batching import BatchMessage, Rows
from millstream.handlers.batching.batch_run import BatchRun
from millstream.handlers.events import decode_many
from millstream.handlers.events.decode import DEFAULT_MAX_MESSAGE_BYTES, decode_event
from millstream.handlers.events.event import day_number
from millstream.handlers.events.event_rows import EventDay, EventLine
from millstream.handlers.events.raw_line import store_line
from millstream.router import Assignment, Message, MessageRun
from tests.handlers.events.event_payloads import MISSING, make_payload, make_raw
from tests.handlers.events.test_decode_fuzz import PAYLOADS, decode_or_refuse, mutated_payloads

GOOD = make_payload()
COMPACT = json.dumps(json.loads(GOOD), separators=(",", ":")).encode()
HEAD, TAIL = GOOD[:-1] + b',"x":"a}', b'{b"}'
"""With a line break between them they would be one event, if a string could have one inside."""
HALF = GOOD[: GOOD.index(b'"environment')]
DEEP = b"[" * 250 + b"]" * 250
LIMIT = 4096
NINES = ["9" * count for count in range(7)]


def decode_events(payloads, *, max_message_bytes):
    """Decode *payloads* with the events kept and made again: the same, and within their bounds."""
    kept = decode_many.decode_events(payloads, max_message_bytes=max_message_bytes, keeps_events=True)
    again = decode_many.decode_events(payloads, max_message_bytes=max_message_bytes)
    if kept is None or again is None:
        # The time of an event that nobody keeps is read by itself anyway.
        assert kept is again or any(b"\\" in payload for payload in payloads)
    else:
        assert list(kept) == list(again)
    for found in (kept, again):
        assert found is None or are_within_bounds(found)
    return None if again is None else list(again)


def are_within_bounds(events):
    """Whether *events* are what it is to hold at each place, and their bounds no further from them than they say."""
    times = [each.timestamp for each in events]
    early, late = min(times) - events.earliest, events.latest - max(times)
    are_in_place = list(events) == [events[place] for place in range(len(events))]
    return are_in_place and all(timedelta(0) <= slack <= datetime.resolution for slack in (early, late))


def time_of(text: str) -> bytes:
    """Give an event at the time that *text* is in JSON, escapes and all."""
    return make_raw(timestamp=b'"%b"' % text.encode())


ODD = {
    "no bytes": b"",
    "a blank": b" ",
    "a line break": b"\n",
    "a brace": b"{",
    "two braces": b"{}",
    "a BOM": b"\xef\xbb\xbf" + GOOD,
    "two events": GOOD + GOOD,
    "two lines": GOOD + b"\n" + GOOD,
    "two events with a comma": GOOD + b"," + GOOD,
    "an array of events": b"[" + GOOD + b"]",
    "its first half": GOOD[:40],
    "its second half": GOOD[40:],
    "begins a string": HEAD,
    "ends a string": TAIL,
    "begins an object": GOOD[:-1] + b',"x":{}',
    "ends an object": b"{}}",
    "more than an event": GOOD + b"{}",
    "a line break in a string": make_raw(event_name=b'"a\nb"'),
    "a line break in an unknown string": make_raw(extra=b'"a\nb"'),
    "a line break in an unknown key": GOOD[:-1] + b',"a\nb":1}',
    "a line break in a property": make_raw(properties=b'{"a":"b\nc"}'),
    "NUL": GOOD[:-1] + b"\0}",
    "invalid UTF-8 in an unknown key": GOOD[:-1] + b',"\xff":1}',
    "invalid UTF-8 in an unknown text": make_raw(extra=b'"\xc3"'),
    "half a character at its end": make_raw(extra=b'"\xc3')[:-1] + b'"}',
    "invalid UTF-8 in a property": make_raw(properties=b'{"a":"\xff"}'),
    "a lone surrogate": make_raw(event_name=rb'"\ud800"'),
    "a lone surrogate in a property": make_raw(properties=rb'{"a":"\ud800"}'),
    "NaN": make_raw(properties=b'{"a":NaN}'),
    "a float beyond a double": make_raw(properties=b'{"a":1e999}'),
    "a float beyond a double with a sign": make_raw(properties=b'{"a":-1.5E+309}'),
    "a float beyond a double with leading zeros": make_raw(properties=b'{"a":1e0000309}'),
    "a float beyond a double by its digits": make_raw(properties=b'{"a":%b.0}' % (b"9" * 310)),
    "a float beyond a double by digits and exponent": make_raw(properties=b'{"a":%be99}' % (b"9" * 210)),
    "an integer of 5,000 digits": make_raw(properties=b'{"a":%b}' % (b"1" * 4000)),
    "null properties": make_raw(properties=b"null"),
    "an array": make_raw(properties=b"[]"),
    "a text": make_raw(properties=b'"{}"'),
    "a number": make_raw(properties=b"1"),
    "a boolean": make_raw(properties=b"true"),
    "properties twice, the last is an array": GOOD[:-1] + b',"properties":[]}',
    "a time twice, the last is wrong": GOOD[:-1] + b',"timestamp":"soon"}',
    "an id twice, the last is empty": GOOD[:-1] + b',"id":""}',
    "no customer": make_payload(external_customer_id=MISSING),
    "an empty customer": make_payload(external_customer_id="", customer_id=""),
    "an empty customer id": make_payload(external_customer_id=None, customer_id=""),
    "an empty external id beside a customer": make_payload(external_customer_id="", customer_id="k"),
    "no zone": time_of("2026-11-23T10:00:00"),
    "a time of 7 digits into the next century": time_of("2299-12-31T23:59:59.9999999Z"),
    "before 1970": time_of("1969-12-31T23:59:59Z"),
    "before 1970 by its zone": time_of("1970-01-01T00:00:00+01:00"),
    "after 2299": time_of("2300-01-01T00:00:00Z"),
    "after 2299 by its zone": time_of("2299-12-31T23:59:59-01:00"),
    "the first year": time_of("0001-01-01T00:00:00Z"),
    "the last year": time_of("9999-12-31T23:59:59Z"),
    "too deep": make_raw(extra=b"[%b]" % DEEP),
    "properties too deep": make_raw(properties=b'{"a":%b}' % DEEP),
    "far too deep": make_raw(extra=b"[" * 1500 + b"]" * 1500),
    "too large": make_payload(event_name="x" * LIMIT),
}
"""Payloads that are no events, and events that are not what msgspec makes of them."""
ESCAPED = {
    "a time of 7 digits, one an escape": time_of(r"2026-11-23T10:00:00.123\u00399995Z"),
    "a time of 7 digits, its point an escape": time_of(r"2026-11-23T10:00:00\u002e1239995Z"),
    "a time of 7 digits, the last an escape": time_of(r"2026-11-23T10:00:00.123999\u0035Z"),
}
"""Events whose time says more of itself only when it is read by itself."""
UNSURE = [make_raw(extra=DEEP), make_raw(extra=b"[" + b"[]," * 300 + b"[]]")]
"""Events that may go either way: as many brackets as make one too deep, if they all stood in one another."""
FINE = {
    "a time twice, the last is rounded": GOOD[:-1] + b',"timestamp":"2026-11-23T10:00:00.1239999Z"}',
    "properties twice, the first is an array": make_raw(properties=b'[],"properties":{"a":1}'),
    "a time of 7 digits into the next day": time_of("2026-11-23T23:59:59.9999999Z"),
    "a time of 7 digits into the next second": time_of("2026-11-23T10:00:00.9999995Z"),
    "a time of 7 digits": time_of("2026-11-23T10:00:00.1239995Z"),
    "compact": COMPACT,
    "with blanks": GOOD,
    "indented": json.dumps(json.loads(GOOD), indent=2).encode(),
    "with CRLF between its tokens": GOOD.replace(b", ", b",\r\n"),
    "with unicode": make_payload(event_name="größe 🚀", properties={"naïve": "数"}),
    "unicode as it is": json.dumps({**json.loads(GOOD), "id": "größe 🚀"}, ensure_ascii=False).encode(),
    "escapes in properties": make_payload(properties={"path": 'C:\\new "x"', "text": "a\nb\tc"}),
    "unknown keys": make_payload(extra={"a": [1, {"b": None}]}, other=None),
    "braces in texts": make_payload(id="}{", event_name="}\\n{", properties={"}{": "{"}),
    "without properties": make_payload(properties=MISSING),
    "empty properties": make_payload(properties={}),
    "a customer alone": make_payload(external_customer_id=MISSING, customer_id="k"),
    "a null beside a customer": make_payload(external_customer_id=None, customer_id="k", source=None),
    "an empty customer beside an external one": make_payload(customer_id=""),
    "a key twice": GOOD[:-1] + b',"id":"second"}',
    "a time in another zone": time_of("2026-11-23T10:00:00.5+05:30"),
    "whole seconds": time_of("2026-11-23T10:00:00Z"),
    "nanoseconds": time_of("2026-11-23T10:00:00.123456789Z"),
    "99 and 999": time_of("2026-11-23T10:00:00.999Z"),
    "999 microseconds": time_of("2026-11-23T10:00:00.123999Z"),
    "a long number": make_payload(properties={"n": 99999999999, "f": 1.5e300}),
    "a very small number": make_raw(properties=b'{"a":1e-999,"b":1.5E+300,"c":-0.1e0000300}'),
    "many digits": make_raw(properties=b'{"a":%b,"b":0.%b}' % (b"1" * 300, b"0" * 400)),
    "texts that look like numbers": make_payload(properties={"1e999": "1e999", "id": "5e400" * 50, "d": "9" * 400}),
    "long and flat": make_payload(properties={"n": [{"a": 1}] * 100}),
}
"""Events such as producers send; a run of them goes whole."""


def same(events, payloads):
    """Whether *events* is nothing, or what each of *payloads* is by itself, to the zone of its time."""
    if events is None:
        return True
    alone = [decode_or_refuse(payload, LIMIT) for payload in payloads]
    return events == alone and [each.timestamp.tzinfo for each in events] == [each.timestamp.tzinfo for each in alone]


@given(
    st.lists(
        PAYLOADS | mutated_payloads() | st.sampled_from([*ODD.values(), *ESCAPED.values(), *FINE.values(), *UNSURE]),
        max_size=5,
    )
)
def test_many_are_read_as_each_by_itself_or_not_at_all(payloads):
    """Expect no event that `decode_event` refuses or reads differently."""
    assert same(decode_events(payloads, max_message_bytes=LIMIT), payloads)


@given(st.lists(PAYLOADS, min_size=1, max_size=3), st.lists(st.integers(0, 4000), max_size=4))
def test_where_payloads_are_cut_decides(payloads, cuts):
    """Expect bytes that are events only together, or several in one payload, not to be taken for one each."""
    whole = b"\n".join(payloads)
    places = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    parts = [whole[start:end] for start, end in pairwise(places)]

    assert same(decode_events(parts, max_message_bytes=LIMIT), parts)


@pytest.mark.parametrize("payload", ODD.values(), ids=ODD)
def test_odd_payload_among_good_ones_is_left_to_be_looked_at(payload):
    """Expect its neighbours to be asked one by one as well, wherever it stands."""
    runs = [payload, COMPACT, GOOD], [COMPACT, payload, GOOD], [COMPACT, GOOD, payload], [payload]

    assert [decode_events(run, max_message_bytes=LIMIT) for run in runs] == [None] * 4


@pytest.mark.parametrize("payload", ESCAPED.values(), ids=ESCAPED)
def test_time_with_escapes_is_left_to_be_looked_at_where_events_are_kept(payload):
    """Expect it to be cut as it is by itself, and to be read with the others where it is made again for whoever looks."""
    run = [COMPACT, payload, GOOD]

    assert decode_many.decode_events(run, max_message_bytes=LIMIT, keeps_events=True) is None
    assert decode_events(run, max_message_bytes=LIMIT) == list(map(decode_event, run))


@pytest.mark.parametrize(
    "payloads",
    [
        pytest.param([HEAD, TAIL, GOOD + GOOD], id="a string over two, and two in one"),
        pytest.param([HEAD, TAIL, GOOD + b"\n" + GOOD], id="a string over two, and two lines in one"),
        pytest.param([GOOD[:-1] + b',"x":{}', b"{}}", GOOD + GOOD], id="an object over two, and two in one"),
        pytest.param([GOOD[:-1], b"}", GOOD], id="an event over two"),
        pytest.param([GOOD[:-1], b"}" + GOOD], id="an event over two, and another"),
        pytest.param([GOOD + HALF, GOOD[len(HALF) :]], id="one and a half, and a half"),
        pytest.param([GOOD + GOOD, b""], id="two and none"),
        pytest.param([GOOD + GOOD, b" "], id="two and a blank"),
        pytest.param([GOOD + b" ", GOOD], id="a blank behind one"),
        pytest.param([b"\n" + GOOD, GOOD], id="a line break before one"),
        pytest.param([GOOD + GOOD], id="two in one"),
        pytest.param(
            [make_raw(properties=b'{"a":\n{}}'), make_raw(properties=b"[]")], id="an object on a line, and an array"
        ),
        pytest.param([], id="none"),
    ],
)
def test_payloads_that_are_events_only_together_are_none(payloads):
    """Expect as many values as payloads not to be enough: each has to be one."""
    assert decode_events(payloads, max_message_bytes=LIMIT) is None


@pytest.mark.parametrize("payload", FINE.values(), ids=FINE)
def test_ordinary_events_are_read_at_once(payload):
    """Expect a run of good events never to fall back to one by one."""
    payloads = [payload] * 20
    events = decode_events(payloads, max_message_bytes=LIMIT)

    assert events == [decode_event(payload)] * 20
    assert same(events, payloads)


def test_events_of_all_kinds_are_read_at_once():
    """Expect what is good alone to be good beside others."""
    assert decode_events(list(FINE.values()), max_message_bytes=LIMIT) == list(map(decode_event, FINE.values()))


def test_each_fraction_is_read_as_by_itself():
    """Expect what carries into another millisecond to be cut, and none to make the others fall back to one by one."""
    texts = [
        "".join(parts) for parts in product(("", "0", "1", "12", "123"), NINES, ("", "0", "4", "49", "5", "59", "95"))
    ]
    payloads = [time_of(f"2026-11-23T10:00:00.{text}Z") for text in texts if text]

    assert decode_events(payloads, max_message_bytes=10**6) == list(map(decode_event, payloads))
    for payload in payloads:
        assert decode_events([payload], max_message_bytes=LIMIT) == [decode_event(payload)]


@pytest.mark.parametrize("digits", [3, 6, 9])
def test_times_of_any_precision_are_read_at_once(digits):
    """Expect clocks of microseconds and nanoseconds, of which one in 1,000 ends in 999, to cost no run its way."""
    payloads = [time_of(f"2026-11-23T10:00:00.{number * 7919 % 10**digits:0{digits}}Z") for number in range(5000)]

    assert decode_events(payloads, max_message_bytes=10**7) == list(map(decode_event, payloads))


def test_refusal_behind_a_cut_time_is_left_to_be_told():
    """Expect what is read by itself for its time to be refused with the reasons of one by one."""
    payload = make_payload(timestamp="2026-11-23T10:00:00.1239995Z", event_name="x" * LIMIT)

    assert decode_events([GOOD, payload], max_message_bytes=LIMIT) is None


def test_earliest_time_that_was_rounded_up_is_no_bound():
    """Expect an event of the last moment of a day to be within its bounds where nobody has cut its time."""
    payloads = [time_of("2026-11-23T23:59:59.9999999Z"), time_of("2026-11-24T23:59:59Z")]
    events = decode_many.decode_events(payloads, max_message_bytes=LIMIT)
    run = BatchRun(MessageRun(payloads, Assignment("t", 0), 0, 1), events)

    assert events.earliest <= decode_event(payloads[0]).timestamp
    assert EventDay().many(Rows([run]), 1) == [20780, 20781]


@pytest.mark.parametrize("size", [100, 600, 650])
def test_payload_above_the_bound_is_left_to_be_refused(size):
    """Expect the bound to be that of one payload, and the one of its size to pass."""
    payload = make_payload(event_name="x" * size)
    many = [payload] * 10

    assert decode_events(many, max_message_bytes=len(payload) - 1) is None
    assert decode_events([payload], max_message_bytes=len(payload)) == [decode_event(payload)]
    assert len(decode_events(many, max_message_bytes=max(len(payload), 10_000))) == 10


def test_run_of_large_payloads_is_not_joined(monkeypatch):
    """Expect them to be read in pieces, rather than copied several times over in one, and what is larger than one by itself."""
    monkeypatch.setattr(decode_many, "MOST_BYTES", 3 * len(GOOD))
    sizes, decode = [], decode_many._decode
    monkeypatch.setattr(decode_many, "_decode", lambda lines: sizes.append(lines.count(b"\n") + 1) or decode(lines))
    first, *others = [
        make_payload(id=f"{number}", timestamp=f"2026-01-{number:02}T00:00:00Z") for number in range(1, 8)
    ]
    payloads = [*others, first]

    found = decode_events(payloads, max_message_bytes=LIMIT)

    assert [event.id for event in found] == ["2", "3", "4", "5", "6", "7", "1"]
    assert max(sizes) <= 3
    assert decode_events([GOOD] * 3 + [b"{}"] + [GOOD] * 3, max_message_bytes=LIMIT) is None
    assert decode_events([GOOD * 4, GOOD], max_message_bytes=10 * LIMIT) is None


def test_properties_are_those_of_each_event():
    """Expect the views on the joined bytes to end where the properties do."""
    contents = [make_payload(properties={"n": number, "t": "x" * number}) for number in range(50)]
    events = decode_events(contents, max_message_bytes=DEFAULT_MAX_MESSAGE_BYTES)

    assert [msgspec.json.decode(bytes(event.properties))["n"] for event in events] == list(range(50))


FULL = make_payload(customer_id="k", source="s")
AT = [make_payload(timestamp=f"2026-{month:02}-01T00:00:00{zone}") for month in (1, 5) for zone in ("Z", "+05:30")]


@given(
    st.lists(
        st.lists(PAYLOADS | st.sampled_from([*FINE.values(), *ESCAPED.values(), FULL, *AT]), min_size=1, max_size=4),
        max_size=3,
    )
)
def test_lines_and_days_of_runs_are_those_of_each_event(runs):
    """Expect what a run says of all its events to hold for each, also where runs and single ones are mixed and a run is cut."""
    rows, payloads = [], []
    for place, run in enumerate(runs):
        valid = [payload for payload in run if decode_or_refuse(payload, LIMIT) is not None]
        events = decode_many.decode_events(valid, max_message_bytes=LIMIT, keeps_events=place == 1)
        if events is None:
            rows += [BatchMessage(Message(payload), decode_event(payload)) for payload in valid]
        else:
            whole = BatchRun(MessageRun(valid, Assignment("t", 0), 0, len(valid) - 1), events)
            rows += whole.cut(1) if len(valid) > 1 else [whole]
        payloads += valid
    batch = Rows(rows)
    days = [day_number(decode_event(payload)) for payload in payloads]

    assert EventLine().many(batch) == [store_line(decode_event(payload), payload).strip() for payload in payloads]
    for limit in (1, 2, 100):
        told = EventDay().many(batch, limit)
        assert told == days or (told is None and len(set(days)) <= limit)


@pytest.mark.parametrize("text", ["2300-01-01T01:00:00+05:00", "1969-12-31T23:30:00-01:00"])
def test_run_with_a_time_that_some_store_reads_differently_is_left_to_be_looked_at(text):
    """Expect no run whose payloads are not all the lines of their events."""
    payload = time_of(text)

    assert store_line(decode_event(payload), payload) != payload
    assert decode_events([COMPACT, payload], max_message_bytes=LIMIT) is None
