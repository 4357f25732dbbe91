"""The lines of many events at once: the same as those of each by itself."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.batching import BatchMessage, Rows
from millstream.handlers.events import BillingConfig, canonical_line, decode_event
from millstream.handlers.events.event_rows import EventDay, EventLine
from millstream.handlers.events.raw_line import store_line, store_lines
from millstream.router import Message
from tests.handlers.events.event_payloads import make_payload
from tests.handlers.events.test_decode_fuzz import PAYLOADS, decode_or_refuse, mutated_payloads

FULL = make_payload(customer_id="k", source="s", external_customer_id="c")
COMPACT = msgspec.json.encode(msgspec.json.decode(FULL))
LATE = make_payload(customer_id="k", source="s", timestamp="2300-01-01T01:00:00+05:00")
"""What some store would read differently, as the year that is written is 2300."""


def messages(*payloads: bytes) -> Rows:
    """Give each payload as a batch has it."""
    return Rows(BatchMessage(Message(payload), decode_event(payload)) for payload in payloads)


def events_at(*times: datetime) -> Rows:
    """Give an event at each of *times* as a batch has it."""
    event = decode_event(COMPACT)
    return Rows(BatchMessage(Message(b""), msgspec.structs.replace(event, timestamp=time)) for time in times)


def lines_of(payloads: list[bytes]) -> list[bytes]:
    """Give the lines of all payloads at once."""
    return store_lines(list(map(decode_event, payloads)), payloads)


@given(st.lists(PAYLOADS | mutated_payloads() | st.sampled_from([FULL, COMPACT, LATE]), min_size=1, max_size=4))
def test_many_lines_are_those_of_each(payloads: list[bytes]) -> None:
    """Expect of any valid events together what each gets alone."""
    valid = [payload for payload in payloads if decode_or_refuse(payload) is not None]
    alone = [store_line(decode_event(payload), payload).strip() for payload in valid]

    assert lines_of(valid) == alone


def test_year_that_the_store_reads_differently_is_found_among_others() -> None:
    """Expect the time that is written in the year 2300 to be written anew, and the others to stay."""
    assert lines_of([COMPACT, LATE]) == [COMPACT, canonical_line(decode_event(LATE))]


def test_blanks_around_an_event_are_left_out() -> None:
    """Expect none in its line: where it is a part of something longer, nothing else has to take them away."""
    assert lines_of([b" \n" + COMPACT + b"\t", COMPACT]) == [COMPACT, COMPACT]


@pytest.mark.parametrize("billing", [None, BillingConfig(tenant_id="biller", environment_id="prod")])
@pytest.mark.parametrize("is_canonical", [False, True])
def test_lines_of_a_batch_are_those_of_its_messages(billing: BillingConfig | None, is_canonical: bool) -> None:
    """Expect the lines of many messages to be those of each, with billing rows and without."""
    line = EventLine(billing, is_canonical=is_canonical)
    batch = messages(FULL, COMPACT, LATE)

    assert line.many(batch) == [line(each) for each in batch]
    assert line(batch[1]).count(b"\n") == (billing is not None)


@given(
    st.lists(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=14))])), max_size=4),
    st.integers(1, 3),
)
def test_days_that_are_not_told_are_few(times: list[datetime], limit: int) -> None:
    """Expect days to be told one by one, or not at all where there are no more than the limit."""
    batch = events_at(*times)
    day = EventDay()
    told = day.many(batch, limit)

    assert told == [day(each) for each in batch] or (told is None and len({day(each) for each in batch}) <= limit)


def test_days_on_both_sides_of_midnight_count() -> None:
    """Expect two seconds around midnight to be counted as two days where one INSERT may touch one."""
    batch = events_at(datetime(2026, 11, 23, 23, 59, 59, tzinfo=UTC), datetime(2026, 11, 24, 0, 0, 1, tzinfo=UTC))

    assert EventDay().many(batch, 1) == [20780, 20781]


def test_days_of_one_moment_are_not_told() -> None:
    """Expect no number for each event of a batch that is all of about one time."""
    assert EventDay().many(messages(FULL, COMPACT), 100) is None
