"""Bulk messages: which are batches, and what each of their events is, whatever stands beside it."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.events import InvalidEvent, decode_event, decode_event_batch
from millstream.router.errors import MessageTooLarge
from tests.handlers.events.event_payloads import MISSING, make_batch, make_payload, make_raw

BATCH = {"tenant_id": "acme", "environment_id": "production"}
GOOD = make_payload()
DEEP = make_raw(properties=b'{"a":' * 1200 + b"1" + b"}" * 1200)
WIDE = make_raw(properties=b'{"a":%s}' % (b"[" * 6000 + b"]" * 6000))


def decoded(*events, **ids):
    """Return what each event of a batch is."""
    return decode_event_batch(make_batch(*events, **ids)).decode()


NO_BATCH = [
    pytest.param(GOOD, "events", "missing: this is a single event", id="single event"),
    pytest.param(b"{}", "events", "missing", id="nothing in it"),
    pytest.param(b'{"events":[]}', "events", "empty", id="no events"),
    pytest.param(b'{"events":null}', "events", "empty", id="null for the events"),
    pytest.param(b'{"events":{}}', "events", "expected array or null, got object", id="object for the events"),
    pytest.param(b"[%s]" % GOOD, None, "expected object, got array", id="bare list"),
    pytest.param(b'{"events":[%s]' % GOOD, None, "malformed JSON", id="breaks off"),
    pytest.param(b'{"events":[%s' % GOOD, "events", "malformed JSON", id="breaks off in the events"),
    pytest.param(
        make_batch(GOOD, tenant_id=7), "tenant_id", "expected str or null, got int", id="number for the tenant"
    ),
    pytest.param(b"", None, "empty", id="empty"),
    pytest.param(b"\xef\xbb\xbf" + make_batch(GOOD), None, "starts with a byte order mark", id="byte order mark"),
]


@pytest.mark.parametrize(("payload", "field", "reason"), NO_BATCH)
def test_what_is_no_batch_of_events_is_refused_by_name(payload, field, reason):
    """A single event among it: nothing that brings no event passes in silence."""
    with pytest.raises(InvalidEvent) as caught:
        decode_event_batch(payload)

    assert caught.value.field == field
    assert reason in caught.value.reason


def test_a_batch_that_is_too_large_is_refused_undecoded():
    """The limit is that of the message, of whatever it is made."""
    payload = make_batch(GOOD, GOOD)
    with pytest.raises(MessageTooLarge):
        decode_event_batch(payload, max_message_bytes=len(payload) - 1)

    assert len(decode_event_batch(payload, max_message_bytes=len(payload)).decode().good) == 2


def test_the_bytes_of_an_event_stay_as_they_came():
    """Blanks, numbers of any length and unknown keys included."""
    event = b' {"extra" : 1e5,' + make_raw(properties=b'{"n": 123456789012345678901234567890.10}')[1:] + b" "
    (only,) = decoded(GOOD, event, **BATCH).good[1:]

    assert only.payload == event.strip()
    assert only.event.properties == msgspec.Raw(b'{"n": 123456789012345678901234567890.10}')


BAD_EVENTS = [
    pytest.param(make_payload(id=""), "id: empty", id="empty id"),
    pytest.param(make_payload(timestamp="2026-11-23T10:00:00"), "timestamp: has no zone", id="no zone"),
    pytest.param(make_payload(external_customer_id=""), "customer_id: missing or empty", id="nobody's"),
    pytest.param(make_payload(properties=[]), "properties: expected an object", id="list of properties"),
    pytest.param(make_raw(properties=b'{"a":1e999}'), "properties: holds a float", id="beyond a double"),
    pytest.param(make_raw(id=b'"\xff"'), "id: not UTF-8", id="not UTF-8"),
    pytest.param(make_raw(properties=rb'{"a":"\ud800"}'), "properties: lone surrogate", id="lone surrogate"),
    pytest.param(make_raw(properties=rb'{"a":"\x"}'), "properties: malformed JSON", id="unknown escape"),
    pytest.param(make_raw(properties=b'{"a":NaN}'), "properties: NaN is not JSON", id="no number"),
    pytest.param(b'{"id":"a" "b"}', "malformed JSON", id="no JSON, but it ends"),
    pytest.param(b"null", "expected object, got null", id="null"),
    pytest.param(b"7", "expected object, got int", id="number"),
    pytest.param(b'"text"', "expected object, got str", id="text"),
    pytest.param(b"[]", "expected object, got array", id="list"),
    pytest.param(DEEP, "properties: nested too deeply", id="deeper than some interpreters go"),
    pytest.param(WIDE, "properties: nested too deeply", id="deeper still"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD_EVENTS)
def test_a_bad_event_says_nothing_about_its_neighbours(bad, reason):
    """It is refused as it would be in a message of its own; the events around it are what they are."""
    before, after = make_payload(id="before"), make_payload(id="after")
    batch = decoded(before, bad, after, **BATCH)

    assert [(each.part, each.payload, each.event) for each in batch.good] == [
        (0, before, decode_event(before)),
        (2, after, decode_event(after)),
    ]
    assert list(batch.bad) == [1]
    assert str(batch.bad[1]).startswith(reason)


def test_what_is_deep_beside_the_events_spoils_nothing():
    """A key that nobody knows may go as deep as it likes, in the batch as on every interpreter."""
    payload = make_batch(GOOD, DEEP)[:-1] + b',"x":' + b"[" * 6000 + b"]" * 6000 + b"}"
    batch = decode_event_batch(payload).decode()

    assert ([each.payload for each in batch.good], list(batch.bad)) == ([GOOD], [1])


IDS = [
    pytest.param({}, {}, ("acme", "production"), id="its own win"),
    pytest.param({"tenant_id": MISSING}, {}, ("batch", "production"), id="no tenant"),
    pytest.param({"tenant_id": "", "environment_id": None}, {}, ("batch", "stage"), id="empty and null"),
    pytest.param({"environment_id": MISSING, "extra": "kept"}, {}, ("acme", "stage"), id="no environment"),
]


@pytest.mark.parametrize(("changes", "ids", "expected"), IDS)
def test_ids_that_an_event_lacks_are_those_of_its_batch(changes, ids, expected):
    """And they are in the bytes that go into the store, with everything else that the event says."""
    payload = make_payload(**changes)
    (only,) = decoded(payload, **{"tenant_id": "batch", "environment_id": "stage", **ids}).good
    said = json.loads(only.payload)

    assert (only.event.tenant_id, only.event.environment_id) == expected
    assert decode_event(only.payload) == only.event
    assert said == {**json.loads(payload), "tenant_id": expected[0], "environment_id": expected[1]}


@pytest.mark.parametrize(
    ("changes", "ids", "reason"),
    [
        pytest.param({"tenant_id": MISSING}, {}, "tenant_id: missing", id="in neither"),
        pytest.param({"tenant_id": ""}, {"tenant_id": ""}, "tenant_id: empty", id="empty in both"),
        pytest.param({"tenant_id": 7}, BATCH, "tenant_id: expected str, got int", id="wrong type"),
        pytest.param({"tenant_id": MISSING, "timestamp": "x"}, BATCH, "timestamp: not a date", id="another mistake"),
        pytest.param({"environment_id": MISSING}, {"tenant_id": "t"}, "environment_id: missing", id="one of two"),
    ],
)
def test_an_id_that_neither_gives_is_missing(changes, ids, reason):
    """The reason names the event's own field."""
    batch = decoded(make_payload(**changes), **ids)

    assert str(batch.bad[0]).startswith(reason)


def test_an_excerpt_is_a_batch_of_the_chosen_events():
    """In the form that it came in, so that it can be sent again; of all events there is none."""
    events = [make_payload(id=f"e-{number}", tenant_id=MISSING) for number in range(4)]
    batch = decode_event_batch(make_batch(*events, **BATCH))
    excerpt = batch.excerpt([1, 3])
    again = decode_event_batch(excerpt.payload)

    assert [bytes(event) for event in again.events] == [events[1], events[3]]
    assert [each.event.tenant_id for each in again.decode().good] == ["acme", "acme"]
    assert excerpt.metadata == {"batch_size": "2"}
    assert batch.excerpt([0, 1, 2, 3]) is None


def test_an_excerpt_holds_what_is_too_deep_as_it_came():
    """Whatever was done to read its neighbours."""
    batch = decode_event_batch(make_batch(GOOD, WIDE, GOOD))

    assert WIDE in batch.excerpt([1]).payload


EVENTS = st.sampled_from(
    [
        GOOD,
        make_payload(id="ü\n"),
        make_payload(tenant_id=MISSING),
        make_payload(id=""),
        make_raw(properties=b'{"}]":"[{\\""}'),
        make_raw(properties=b'{"a":"\xff"}'),
        make_raw(properties=rb'{"a":"\ud800"}'),
        make_raw(properties=b'{"a":"\n}"}'),
        b"null",
        b"[[]]",
        b'"{"',
        DEEP,
        WIDE,
    ]
)


@given(events=st.lists(EVENTS, min_size=1, max_size=6), blank=st.sampled_from([b"", b" ", b"\n\t"]))
def test_every_event_of_a_batch_is_what_it_is_alone(events, blank):
    """Each is among the good or the bad, in its place, whatever the others are."""
    payload = make_batch(*(blank + event + blank for event in events), **BATCH)
    batch = decode_event_batch(payload).decode()
    verdicts = {each.part: each.event for each in batch.good} | {part: str(why) for part, why in batch.bad.items()}

    assert verdicts == {part: alone(event) for part, event in enumerate(events)}


def alone(event):
    """Return the event, or why it is none; one without a tenant is the batch's."""
    try:
        return decode_event(event)
    except InvalidEvent as error:
        return decode_event(GOOD) if error.field == "tenant_id" else str(error)
