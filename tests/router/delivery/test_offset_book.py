"""Which offset may be committed."""

import pytest

from millstream.router import Message, OffsetBook
from tests.router.delivery.model.stand_ins import delivered, handle, routed, start_chain


def book_of(offsets, **options):
    """Return a book and its messages at *offsets*."""
    book = OffsetBook(routed(), **options)
    messages = delivered(book.assignment, offsets)
    book.extend(messages)
    return book, messages


def test_empty_book_has_nothing_to_commit():
    """Nothing settled, nothing pending, nothing to advance."""
    book = OffsetBook(routed())

    assert (book.next_offset, book.pending, book.settled, book.oldest) == (None, 0, 0, None)
    assert book.advance() == 0
    assert book.extend([])


def test_messages_settled_in_order_are_committed_one_by_one():
    """What may be committed is the offset after the last settled message."""
    book, messages = book_of(range(3))

    seen = []
    for message in messages:
        handle(message)
        seen.append((book.advance(), book.next_offset, book.pending, book.settled))

    assert seen == [(1, 1, 2, 1), (1, 2, 1, 2), (1, 3, 0, 3)]


def test_message_settled_out_of_order_waits_for_those_before_it():
    """The commit stands in front of the oldest message that is not settled, then jumps."""
    book, messages = book_of(range(4))

    handle(*messages[1:])
    early = (book.advance(), book.next_offset, book.pending, book.oldest)
    handle(messages[0])

    assert early == (0, None, 4, messages[0])
    assert (book.advance(), book.next_offset, book.oldest) == (4, 4, None)


def test_gaps_in_the_offsets_hold_nothing_up():
    """Compaction and transactions leave holes; nobody waits for an offset that does not exist."""
    book, messages = book_of([5, 9, 100])

    handle(messages[0])
    book.advance()
    first = book.next_offset
    handle(*messages[1:])
    book.advance()

    assert (first, book.next_offset) == (6, 101)


@pytest.mark.parametrize("offset", [0, 6, 7], ids=["far below", "below", "repeated"])
def test_offset_that_is_not_above_the_newest_is_refused(offset):
    """The log was rewound: that starts a new epoch, with a new book; the old one is left as it was."""
    book, messages = book_of([7])
    (again,) = delivered(book.assignment, [offset])

    answers = (book.append(again), book.extend([again]))
    handle(*messages, again)
    book.advance()

    assert (answers, book.next_offset, book.settled) == ((False, False), 8, 1)


def test_offset_below_the_newest_is_refused_even_when_the_book_is_empty():
    """The newest offset is remembered after its message has left."""
    book, messages = book_of([7])
    handle(*messages)
    book.advance()

    assert not book.append(*delivered(book.assignment, [7]))
    assert book.append(*delivered(book.assignment, [8]))


def test_chunk_and_single_messages_are_taken_in_alike():
    """`extend` is `append` for many."""
    one, many = OffsetBook(routed()), OffsetBook(routed())
    messages = delivered(one.assignment, [1, 4, 5])

    assert [one.append(message) for message in messages] == [True] * 3
    assert many.extend(messages)
    assert (one.pending, one.oldest) == (many.pending, many.oldest) == (3, messages[0])


def test_book_is_full_at_max_pending_and_has_room_again_when_messages_settle():
    """A settled message behind one that is not still takes its place."""
    book, messages = book_of(range(2), max_pending=3)
    before = (book.is_full, book.room)
    book.append(*delivered(book.assignment, [2]))
    full = (book.is_full, book.room)
    handle(messages[1])
    book.advance()
    behind = (book.is_full, book.room)
    handle(messages[0])
    book.advance()

    assert (before, full, behind) == ((False, 1), (True, 0), (True, 0))
    assert (book.is_full, book.room) == (False, 2)


def test_room_is_never_negative():
    """A book that was given more than it should have has no room, not less."""
    book, _ = book_of(range(5), max_pending=3)

    assert (book.is_full, book.room) == (True, 0)


def test_context_ends_when_the_message_leaves_the_book():
    """It ends at settlement, not at ack, so that what runs behind the handler can still look at it."""
    book, (first, second) = book_of(range(2))
    contexts = [first.context, second.context]
    handle(second)
    book.advance()
    acked = [context.is_cancelled for context in contexts]
    handle(first)
    book.advance()

    assert (acked, [context.is_cancelled for context in contexts]) == ([False, False], [True, True])


def test_messages_that_nobody_has_started_leave_the_end_of_the_book():
    """A revoke need not wait for them; what is started, and what stands before it, stays."""
    book, messages = book_of(range(6))
    handle(messages[0])
    start_chain(messages[2])

    assert (book.discard_unstarted(), book.pending) == (3, 3)
    assert book.discard_unstarted() == 0
    handle(*messages[1:3])
    assert (book.advance(), book.next_offset) == (3, 3)


def test_message_held_without_a_router_is_not_discarded():
    """Its reader works on it: a revoke waits for the hold."""
    book, messages = book_of(range(3))
    messages[1].delivery.hold("reader")

    assert (book.discard_unstarted(), book.pending) == (1, 2)


def test_discarded_messages_commit_nothing():
    """Whoever gets the partition reads them again."""
    book, messages = book_of(range(2))
    handle(messages[0])
    book.discard_unstarted()
    book.advance()

    handle(messages[1])
    book.advance()

    assert (book.next_offset, book.settled) == (1, 1)


def test_advance_looks_at_every_message_a_constant_number_of_times():
    """Settling from the back, the worst order, costs no more looks than messages and calls together."""
    looks = []

    class Looked(Message, gc=False, eq=False, kw_only=True):
        @property
        def is_settled(self):
            looks.append(self.offset)
            return super().is_settled

    book = OffsetBook(routed())
    messages = [Looked(b"", offset=offset, assignment=book.assignment) for offset in range(200)]
    book.extend(messages)
    for message in messages:
        message.delivery.hold("a")
        handle(message)
    for message in reversed(messages):
        message.delivery.release("a")
        book.advance()

    assert book.settled == 200
    assert len(looks) <= 400


def test_bytes_are_let_go_run_by_run():
    """A run's bytes count until all of it has gone: that is late by a run, and costs its messages nothing."""
    book, (first, second) = book_of([0, 1])
    book.account(300)
    book.extend(delivered(book.assignment, [5]))
    book.account(50)

    seen = [book.pending_bytes]
    for message in (first, second):
        handle(message)
        book.advance()
        seen.append(book.pending_bytes)

    assert seen == [350, 350, 50]


def test_position_is_committed_once_nothing_is_pending_below_it():
    """Whatever lies between the last message and the position is none."""
    book, messages = book_of([3, 4])
    book.reach(9)
    handle(messages[0])
    book.advance()
    early = book.next_offset
    handle(messages[1])
    book.advance()

    assert (early, book.next_offset) == (4, 9)


def test_position_is_committed_though_a_later_message_is_pending():
    """It stands above the position: it comes again from there."""
    book, messages = book_of([3])
    book.reach(9)
    book.extend(delivered(book.assignment, [9]))
    handle(*messages)
    book.advance()

    assert (book.next_offset, book.pending) == (9, 1)


def test_position_of_an_empty_book_is_committed():
    """Nothing was ever delivered: what stood there was aborted, or compacted away."""
    book = OffsetBook(routed())
    book.reach(9)
    book.advance()

    assert book.next_offset == 9


@pytest.mark.parametrize("position", [4, 7, 8])
def test_position_never_moves_the_commit_back(position):
    """Whatever is said after the message at 7 has settled."""
    book, messages = book_of([7])
    handle(*messages)
    book.advance()
    book.reach(position)
    book.advance()

    assert book.next_offset == 8


def test_offset_below_a_position_is_refused():
    """The log was cut behind the reader: committing what was reached would skip it."""
    book = OffsetBook(routed())
    book.reach(9)
    (below,), (at,) = delivered(book.assignment, [8]), delivered(book.assignment, [9])

    assert (book.append(below), book.append(at)) == (False, True)


def test_position_is_forgotten_with_what_a_revoke_drops_below_it():
    """Nobody has handled those: they come to whoever has the partition next."""
    book, messages = book_of([3, 4, 5])
    book.reach(9)
    handle(messages[0])
    dropped = book.discard_unstarted()
    book.advance()

    assert (dropped, book.next_offset) == (2, 4)


def test_position_is_kept_when_a_revoke_drops_what_is_above_it():
    """Everything below it has settled."""
    book, messages = book_of([3])
    book.reach(9)
    book.extend(delivered(book.assignment, [9]))
    handle(*messages)
    book.discard_unstarted()
    book.advance()

    assert book.next_offset == 9


def test_position_of_a_closed_assignment_is_not_committed():
    """Somebody else has the partition."""
    book = OffsetBook(routed())
    book.reach(9)
    book.assignment.close()
    book.advance()

    assert book.next_offset is None
