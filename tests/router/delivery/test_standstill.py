"""A commit that stands still is noticed once, with the name of whoever keeps it back."""

import pytest
from loguru import logger

from millstream.router import Assignment, Message
from millstream.router.delivery.offset_book import OffsetBook
from millstream.router.delivery.route import Route
from millstream.router.delivery.settlement import RETURNED, Delivery
from millstream.router.delivery.standstill import StandstillWatch, keeper_of, owner_name
from millstream.router.testing import FakeWorker


@pytest.fixture
def lines():
    """What is logged, from INFO on."""
    texts = []
    sink = logger.add(lambda text: texts.append(str(text)), format="{level} {message}", level="INFO")
    logger.enable("millstream")
    yield texts
    logger.disable("millstream")
    logger.remove(sink)


def book_of(count, max_pending=250_000):
    """Return a book with *count* messages that a handler has returned from."""
    place = Assignment("events", 3)
    place.route = Route("billing", "events", "FakeSubscriber")
    book = OffsetBook(place, max_pending=max_pending)
    messages = [Message(b"", topic="events", partition=3, offset=offset, assignment=place) for offset in range(count)]
    for message in messages:
        message.delivery.finish()
    book.extend(messages)
    return book, messages


def hold(message, owner):
    """Hold *message* as inside its chain."""
    message.delivery.begin()
    held = message.hold(owner)
    message.delivery.chain = RETURNED
    return held


def test_old_hold_is_warned_about_once_with_its_owner(lines):
    """The warning comes when the time is over, names owner, place and age, and is not repeated."""
    book, messages = book_of(2)
    hold(messages[0], FakeWorker("slow-batcher"))
    watch = StandstillWatch(180.0)

    for now in (0.0, 100.0, 179.9):
        watch.look([book], now)
    early = list(lines)
    for now in (181.0, 300.0, 1000.0):
        watch.look([book], now)

    assert early == []
    assert len(lines) == 1
    assert lines[0].startswith("WARNING the commit of events[3] has stood still at offset 0 for 181.0 s")
    assert "held by slow-batcher" in lines[0]
    assert "2 messages wait" in lines[0]


def test_end_of_a_standstill_is_said(lines):
    """Who was warned hears that it goes on; and a commit that moves all the time is never reported."""
    book, messages = book_of(2)
    held = hold(messages[0], "importer")
    watch = StandstillWatch(10.0)
    watch.look([book], 0.0)
    watch.look([book], 11.0)

    held.release()
    book.advance()
    watch.look([book], 12.0)
    watch.look([book], 100.0)

    assert [line.split()[0] for line in lines] == ["WARNING", "INFO"]
    assert "goes on after 12.0 s" in lines[1]


def test_time_begins_anew_with_every_message_at_the_front(lines):
    """A partition that is slow but moves is not reported."""
    book, messages = book_of(5)
    holds = [hold(message, "slow") for message in messages]
    watch = StandstillWatch(10.0)
    for step, held in enumerate(holds):
        watch.look([book], step * 9.0)
        held.release()
        book.advance()

    assert lines == []


def test_full_book_is_said_to_have_stopped_intake(lines):
    """At its bound nothing more is read: the warning says so."""
    book, messages = book_of(2, max_pending=2)
    hold(messages[0], "importer")
    watch = StandstillWatch(1.0)
    watch.look([book], 0.0)
    watch.look([book], 2.0)

    assert "intake from it has stopped" in lines[0]


def test_looks_are_rare_and_never_rarer_than_the_limit(lines):
    """A look costs something per partition, so most calls return at once; a short limit is kept nevertheless."""
    book, messages = book_of(1)
    hold(messages[0], "importer")
    watch = StandstillWatch(0.1)
    watch.look([book], 0.0)
    watch.look([book], 0.05)
    between = list(lines)
    watch.look([book], 0.11)

    assert (between, len(lines)) == ([], 1)


def test_keeper_is_told_for_every_state_of_a_message():
    """Running, held by several, failed, nacked and not started each have words of their own."""
    _, messages = book_of(6)
    running, again, held, failed, nacked, fresh = messages
    running.delivery.begin()
    again.delivery.begin()
    again.delivery.restart()
    hold(held, "a")
    hold(held, "b")
    hold(failed, "a").fail(ValueError("bad"))
    nacked.delivery.restart()
    fresh.delivery = Delivery()

    assert keeper_of(running) == "handler 'billing' has not returned"
    assert keeper_of(again) == "handler 'billing' has failed 1 times, and has it again now or soon"
    assert keeper_of(held) == "held by a, b"
    assert keeper_of(failed) == "its poison record is not confirmed"
    assert keeper_of(nacked) == "handler 'billing' has failed 1 times, it is delivered again"
    assert keeper_of(fresh) == "not yet handled by handler 'billing'"
    assert keeper_of(Message(b"")) == "not yet acked"


@pytest.mark.parametrize(
    ("owner", "name"),
    [("importer", "importer"), (FakeWorker("batcher"), "batcher"), ([], "list"), (book_of, "book_of"), (3, "int")],
)
def test_owner_is_called_by_its_name_or_type(owner, name):
    """An owner may be anything."""
    assert owner_name(owner) == name


def test_copy_has_the_owners_of_its_original():
    """A copy shares the delivery, and so the holds."""
    _, (message,) = book_of(1)
    hold(message, "importer")

    assert message.copy().delivery.owners == ["importer"]
