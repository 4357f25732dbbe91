"""What can be read off a poison record, which are meant, and how they are counted."""

from datetime import UTC, datetime

import pytest

from millstream.handlers.cli.dlq.filters import Filter, parse_time
from millstream.handlers.cli.dlq.grouping import Row, Tally, masked
from millstream.handlers.cli.dlq.records import PoisonRecord
from millstream.handlers.cli.dlq.showing import shown
from millstream.router import ConfigurationError, Message


def record(reason="tenant_id: missing", time="2026-11-28T16:00:00.000+00:00", **more):
    """Return a record of the topic `dlq`."""
    replayed = more.pop("is_replayed", False)
    payload, uuid, stamp = more.pop("payload", b"{}"), more.pop("uuid", "u"), more.pop("timestamp", None)
    metadata = {"reason_poisoned": reason, "handler_poisoned": "h", "topic_poisoned": "events", **more}
    if time is not None:
        metadata["time_poisoned"] = time
    message = Message(
        payload, uuid=uuid, metadata=metadata, key=b"k", topic="dlq", partition=2, offset=17, timestamp=stamp
    )
    return PoisonRecord(message, "dlq", 17, 18, 2, replayed)


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        pytest.param(Filter(), True, id="all"),
        pytest.param(Filter(reason="missing"), True, id="contained"),
        pytest.param(Filter(reason="Missing"), False, id="as written"),
        pytest.param(Filter(reason="InvalidEvent: tenant"), True, id="with the class"),
        pytest.param(Filter(handler="h"), True, id="handler"),
        pytest.param(Filter(handler="H"), False, id="another handler"),
        pytest.param(Filter(uuid="u"), True, id="uuid"),
        pytest.param(Filter(uuid="v"), False, id="another uuid"),
        pytest.param(Filter(since=datetime(2026, 11, 28, 16, tzinfo=UTC)), True, id="since is included"),
        pytest.param(Filter(until=datetime(2026, 11, 28, 16, tzinfo=UTC)), False, id="until is not"),
        pytest.param(Filter(reason="missing", handler="other"), False, id="every one has to hold"),
    ],
)
def test_a_filter_says_which_records_are_meant(wanted, matches):
    """Every condition that is given has to hold."""
    assert wanted.matches(record(error_class_poisoned="InvalidEvent")) is matches


def test_a_reason_can_be_given_as_the_list_shows_it():
    """It is copied from there."""
    reason = "row 17 refused: 'no such column'"

    assert Filter(reason=masked(reason)).matches(record(reason))


def test_a_record_without_its_time_has_that_of_its_topic():
    """Those of other services have none; one of no time at all is in no span."""
    written = datetime(2026, 11, 28, tzinfo=UTC)

    assert record(time=None, timestamp=written.timestamp()).time == written
    assert record(time="yesterday", timestamp=written.timestamp()).time == written
    assert record(time="2026-11-28T00:00:00").time == written
    assert not Filter(since=written).matches(record(time=None))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        pytest.param("2026-11-28", datetime(2026, 11, 28, tzinfo=UTC), id="a day begins at its midnight in UTC"),
        pytest.param("2026-11-28T16:00+01:00", datetime(2026, 11, 28, 15, tzinfo=UTC), id="zone"),
        pytest.param("2026-11-28 16:00:00Z", datetime(2026, 11, 28, 16, tzinfo=UTC), id="UTC"),
    ],
)
def test_times_are_those_of_iso_8601(text, time):
    """Without a zone in UTC, as `list` shows them."""
    assert parse_time("--since", text) == time


def test_what_is_no_time_is_refused_with_one_that_is():
    """One line, which names the option."""
    with pytest.raises(
        ConfigurationError, match=r"--since 'yesterday' is no time: give it as 2026-11-28 or .*"
    ) as error:
        parse_time("--since", "yesterday")

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("reason", "alike"),
    [
        ("line 17: timestamp: 'x y' has no zone", "line #: timestamp: '…' has no zone"),
        ('unknown "a" of 3fa85f64-5717-4562-b3fc-2c963f66afa6', 'unknown "…" of #'),
        ("token 9f86d081884c7d65\nand more", "token # and more"),
        ("tenant_id: missing", "tenant_id: missing"),
        ("x" * 130, "x" * 120 + "…"),
    ],
)
def test_reasons_are_alike_without_their_values(reason, alike):
    """Else every record would have a line of its own."""
    assert masked(reason) == alike


def test_a_tally_counts_by_reason_handler_and_day():
    """The most frequent first, days in their order; what no record says is a dash."""
    tally = Tally("dlq")
    for each in (
        record("row 1"),
        record("row 2", time="2026-11-27T01:02:03+00:00", is_replayed=True),
        record("", time=None, handler_poisoned=""),
    ):
        tally.add(each)

    assert tally.rows() == [
        Row("dlq", "all", "", 3, 1, "2026-11-27 01:02:03", "2026-11-28 16:00:00"),
        Row("dlq", "reason", "row #", 2, 1, "2026-11-27 01:02:03", "2026-11-28 16:00:00"),
        Row("dlq", "reason", "-", 1, 0, "", ""),
        Row("dlq", "handler", "h", 2, 1, "2026-11-27 01:02:03", "2026-11-28 16:00:00"),
        Row("dlq", "handler", "-", 1, 0, "", ""),
        Row("dlq", "day", "-", 1, 0, "", ""),
        Row("dlq", "day", "2026-11-27", 1, 1, "2026-11-27 01:02:03", "2026-11-27 01:02:03"),
        Row("dlq", "day", "2026-11-28", 1, 0, "2026-11-28 16:00:00", "2026-11-28 16:00:00"),
    ]
    assert Tally("empty").rows() == []


def test_a_record_is_shown_with_where_it_came_from():
    """JSON is indented with its numbers as they are, and nothing that a terminal would obey is written."""
    text = shown(
        record(
            payload=b'{"id":1.10,"big":12345678901234567890123}',
            partition_poisoned="3",
            offset_poisoned="5",
            tenant="\x1b[31m",
        )
    )

    assert text.startswith("record     dlq[2]@17\ncame from  topic events, partition 3, offset 5\nreplayed   no\n")
    assert "reason_poisoned     tenant_id: missing\n" in text
    assert "tenant  \\x1b[31m\n" in text
    assert text.endswith('payload, 41 bytes, JSON:\n{\n  "id": 1.10,\n  "big": 12345678901234567890123\n}')


def test_a_record_is_shown_without_empty_lines_for_what_it_has_not():
    """A message of another producer has often neither a uuid nor metadata."""
    text = shown(PoisonRecord(Message(b"1", uuid="", metadata={"reason_poisoned": "no"}), "a.ndjson", 0, 9))

    assert text == (
        "record     a.ndjson@0\ncame from  unknown\nreplayed   no\nuuid       -\nkey        -\n\n"
        "reason_poisoned  no\n\npayload, 1 byte, JSON:\n1"
    )


@pytest.mark.parametrize(
    ("payload", "end"),
    [
        (b"no event", "payload, 8 bytes, text:\nno event"),
        (b"\xff\x00", "payload, 2 bytes, base64:\n/wA="),
        (b"", "payload, 0 bytes, text:\n"),
    ],
)
def test_a_payload_that_is_no_json_is_shown_as_it_is(payload, end):
    """What is no text is in base64."""
    assert shown(record(payload=payload)).endswith(end)
