"""What docs/events.md says of an event is so: its fields, what is refused, and with which words."""

import json
import re

import pytest

from millstream.handlers import Event, InvalidEvent, decode_event
from millstream.handlers.events.nesting import MAX_LEVELS
from millstream.handlers.events.schema import EVENT_COLUMNS, create_events_table
from millstream.router import MessageTooLarge
from tests.docs.console import blocks, pages

PAGE = pages()["docs/events.md"]
EXAMPLE = blocks(PAGE, "json")[0].strip()
SCHEMA = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
MEMBERS = re.findall(r'^\| `("(\w+)": .*)` \| `(.*)` \|$', PAGE, re.MULTILINE)
PAYLOADS = {
    "nothing": b"",
    "`[1]`": b"[1]",
    "`hello`": b"hello",
    '`{"id": "e-1"`': b'{"id": "e-1"',
    "one with 2 MiB": EXAMPLE.encode().ljust(2 * 1024 * 1024),
    "one that begins with a byte order mark": b"\xef\xbb\xbf" + EXAMPLE.encode(),
    f"one with {MAX_LEVELS + 1} arrays in one another": EXAMPLE.replace(
        "512", "[" * MAX_LEVELS + "]" * MAX_LEVELS
    ).encode(),
    "one in Latin-1": EXAMPLE.replace("sdk", "é").encode("latin-1"),
}
TABLE = create_events_table("default", "events")[1]


def refusal(payload):
    """Return the reason that *payload* gets."""
    with pytest.raises((InvalidEvent, MessageTooLarge)) as raised:
        decode_event(payload)
    return str(raised.value)


def test_the_fields_are_those_of_an_event():
    """Each has one row; the rest of a payload is ignored."""
    assert [name for name, _, _ in SCHEMA] != []
    assert sorted(name for name, _, _ in SCHEMA) == sorted(Event.__struct_fields__) == sorted(EVENT_COLUMNS)
    assert sorted(json.loads(EXAMPLE)) == sorted({*Event.__struct_fields__} - {"external_customer_id"})
    assert decode_event(EXAMPLE.replace("{", '{"other": 1, ', 1).encode()) == decode_event(EXAMPLE.encode())


def test_the_required_fields_are_those_without_which_it_is_refused():
    """Taken out one by one."""
    required = {name for name, form, _ in SCHEMA if form.endswith("; required")}
    missing = {name for name in Event.__struct_fields__ if refused_without(name)}

    assert required == missing == {"id", "tenant_id", "environment_id", "event_name", "timestamp"}


def refused_without(name):
    """Whether an event with both customer ids is refused once it lacks *name*."""
    event = {**json.loads(EXAMPLE), "external_customer_id": "c"}
    event.pop(name)
    try:
        decode_event(json.dumps(event).encode())
    except InvalidEvent as error:
        return str(error) == f"{name}: missing"
    return False


def test_what_identifies_an_event_is_the_sorting_key():
    """And the types of the columns are those of the table."""
    identity = {name for name, _, stored in SCHEMA if "identifies" in stored}
    types = {name: re.match(r"`(.*?)`", stored)[1] for name, _, stored in SCHEMA}

    assert identity == set(re.search(r"ORDER BY \((.*)\)", TABLE)[1].split(", "))
    assert all(f"    {name} {kind}" in TABLE for name, kind in types.items())


@pytest.mark.parametrize(("member", "name", "reason"), MEMBERS, ids=[member for member, _, _ in MEMBERS])
def test_a_member_is_refused_with_the_words_of_the_page(member, name, reason):
    """In the place of the one that the example has."""
    payload = re.sub(rf'"{name}": (?:"[^"]*"|{{[^}}]*}})', lambda _: member, EXAMPLE)

    assert payload != EXAMPLE
    assert refusal(payload.encode()) == reason


@pytest.mark.parametrize("kind", PAYLOADS)
def test_a_payload_is_refused_with_the_words_of_the_page(kind):
    """Such as one that is no object."""
    reason = re.search(rf"^\| {re.escape(kind)} \| `(.*)` \|$", PAGE, re.MULTILINE)[1]

    assert refusal(PAYLOADS[kind]) == reason


def test_every_reason_of_the_page_is_tried():
    """A row that is written otherwise would not be looked at."""
    sections = PAGE.partition("## What is refused")[2].partition("\n## ")[0]
    rows = [line for line in sections.splitlines() if line.startswith("| ")]
    missing = '| no `"tenant_id"` | `tenant_id: missing` |'

    assert missing in rows
    assert refused_without("tenant_id")
    assert len(rows) == len(MEMBERS) + len(PAYLOADS) + 3  # the two heads, and the missing one
