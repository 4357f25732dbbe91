"""The rows of a batch, some of them in runs: what looks at one of them divides its run, what takes all of them does not."""

import pytest

from millstream.handlers.batching import Batch, BatchMessage, Rows
from millstream.handlers.batching.batch_run import BatchRun
from millstream.router import Assignment, Message, OffsetBook
from tests.handlers.batching.batching_aids import batch_message, batch_run, is_whole, message_run

OWNER = object()


def mixed():
    """Return a run of two, a row and a run of three, all on one assignment."""
    assignment = Assignment("events", 3)
    runs = batch_run(b"a", b"b", assignment=assignment), batch_run(b"d", b"e", b"f", assignment=assignment, first=3)
    alone = BatchMessage(Message(b"c", topic="events", partition=3, offset=2, assignment=assignment), 9)
    for each in runs:
        each.run.hold(OWNER)
    alone.message.delivery.hold(OWNER)
    return [runs[0], alone, runs[1]]


def are_whole(entries):
    """Whether none of the runs among *entries* was divided."""
    return all(is_whole(each.run) for each in entries if isinstance(each, BatchRun))


@pytest.mark.parametrize(
    ("look", "seen"),
    [
        pytest.param(len, 6, id="len"),
        pytest.param(lambda batch: batch.rows.items(), [0, 1, 9, 0, 1, 2], id="items"),
        pytest.param(lambda batch: batch.rows.payloads(), [b"a", b"b", b"c", b"d", b"e", b"f"], id="payloads"),
        pytest.param(lambda batch: [each.partition for each in batch.rows.assignments()], [3], id="assignments"),
        pytest.param(lambda batch: batch.rows.first_assignment.partition, 3, id="first"),
        pytest.param(lambda batch: batch.rows.release(OWNER), None, id="release"),
        pytest.param(lambda batch: batch.rows.is_void, False, id="is void"),
        pytest.param(lambda batch: batch.without_void() is batch, True, id="without void"),
        pytest.param(bool, True, id="bool"),
    ],
)
def test_what_takes_all_rows_divides_no_run(look, seen):
    """Expect each run to keep its one flag, and the answer to be that of the rows one by one."""
    entries = mixed()
    answer = look(Batch(entries))
    alone = Batch(list(Batch(mixed())))

    assert are_whole(entries)
    assert answer == seen == look(alone)


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda batch: batch[4], id="one"),
        pytest.param(lambda batch: batch[-2], id="one from the end"),
        pytest.param(lambda batch: batch[3:5][1], id="a slice"),
        pytest.param(lambda batch: list(batch)[4], id="iteration"),
        pytest.param(lambda batch: next(each for each in reversed(batch) if each.payload == b"e"), id="reversed"),
    ],
)
def test_what_looks_at_a_row_divides_its_run(look):
    """Expect the message that a delivery one by one would have brought, with the hold of its run."""
    entries = mixed()
    batch = Batch(entries)
    row = look(batch)
    message = row.message

    assert not are_whole(entries)
    assert (row.payload, row.item, row.index, row.part) == (b"e", 1, 0, None)
    assert (message.topic, message.partition, message.offset) == ("events", 3, 4)
    assert message.delivery.owners == [OWNER]
    assert look(batch) is row


def test_rows_that_were_divided_are_those_of_one_by_one():
    """Expect everything that takes all rows to say the same after a look as before."""
    batch = Batch(mixed())
    before = [batch.rows.items(), batch.rows.payloads(), len(batch)]
    offsets = [each.message.offset for each in batch]

    assert [batch.rows.items(), batch.rows.payloads(), len(batch)] == before
    assert offsets == list(range(6))


def test_place_outside_is_no_row():
    """Expect a batch to end like any sequence."""
    with pytest.raises(IndexError):
        Batch(mixed())[6]


def test_release_lets_each_run_go():
    """Expect nothing to be held after it, in runs or not."""
    entries = mixed()
    Rows(entries).release(OWNER)

    assert [entries[0].run.delivery.is_held, entries[1].message.is_held, entries[2].run.delivery.is_held] == [False] * 3


def test_release_after_a_look_lets_each_message_go():
    """Expect the messages to be let go, as their run has given way to them."""
    rows = Rows(mixed())
    messages = [each.message for each in rows]
    rows.release(OWNER)

    assert not any(message.is_held for message in messages)


def test_without_void_keeps_the_runs_of_others():
    """Expect a new batch of what is ours, its bytes and its runs whole, under a new token."""
    lost, kept = Assignment("events", 0), Assignment("events", 1)
    runs = [batch_run(b"aa", b"b", assignment=lost), batch_run(b"cc", b"d", b"e", assignment=kept)]
    batch = Batch(runs, size_bytes=7)
    lost.close()
    left = batch.without_void()

    assert (len(left), left.size_bytes, left.rows.payloads()) == (3, 4, [b"cc", b"d", b"e"])
    assert left.token != batch.token
    assert are_whole(runs)
    assert not batch.rows.is_void


def test_all_void_leaves_nothing():
    """Expect an empty batch, and one that says so."""
    lost = Assignment("events", 0)
    batch = Batch([batch_run(b"a", b"b", assignment=lost)])
    lost.close()

    assert batch.rows.is_void
    assert not batch.without_void()


def test_run_of_one_is_a_row():
    """Expect a run of one message to be divided as any other, though it is as long as its entry."""
    rows = Rows([batch_run(b"a"), batch_message(b"b")])

    assert [each.payload for each in rows] == [b"a", b"b"]


def test_parts_of_a_run_settle_each_by_itself():
    """Expect what was cut off to keep the commit back, and no more."""
    run = message_run(b"a", b"b", b"c", b"d")
    book = OffsetBook(run.assignment)
    book.append_run(run)
    run.delivery.begin()
    run.hold(OWNER)
    head, tail = BatchRun(run, [0, 1, 2, 3]).cut(3)
    run.finish()
    Rows([head]).release(OWNER)
    book.advance()

    assert (book.next_offset, book.pending) == (3, 1)
    Rows([tail]).release(OWNER)
    book.advance()
    assert (book.next_offset, book.pending) == (4, 0)


def test_run_that_was_cut_a_thousand_times_is_finished():
    """Expect no depth of pieces in pieces to be too much, as where each batch is of one row."""
    count = 2000
    run = message_run(*[b"x"] * count)
    book = OffsetBook(run.assignment)
    book.append_run(run)
    run.delivery.begin()
    run.hold(OWNER)
    rest, rows = BatchRun(run, [None] * count), []
    for _ in range(count - 1):
        row, rest = rest.cut(1)
        rows.append(row)
    run.finish()
    Rows([*rows, rest]).release(OWNER)
    book.advance()

    assert (book.next_offset, book.pending) == (count, 0)
