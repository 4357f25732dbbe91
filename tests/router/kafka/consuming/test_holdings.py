"""The partitions of one consumer: books, epochs, and what has moved. No broker."""

from millstream.router import Assignment, Message
from millstream.router.kafka.consuming.holdings import Holdings


def holdings(max_pending=10):
    """Return holdings of a topic."""
    return Holdings("t", max_pending, lambda partition, epoch: Assignment("t", partition, epoch))


def add_acked(book, *offsets):
    """Append acked messages to *book*."""
    for offset in offsets:
        message = Message(b"", uuid="u", offset=offset, assignment=book.assignment)
        message.ack()
        book.append(message)


def test_what_moved_is_reported_once():
    """The next offset of a partition is reported when it has moved, and not again."""
    held = holdings()
    held.add([0, 1])
    add_acked(held.books[1], 7, 9)

    assert [held.advance(), held.advance()] == [{1: 10}, {}]


def test_offsets_that_could_not_be_stored_are_reported_again():
    """A failed store is made up for."""
    held = holdings()
    held.add([0])
    add_acked(held.books[0], 0)
    held.advance()
    held.forget_stored([0])

    assert held.advance() == {0: 1}


def test_reassigned_partition_has_a_new_epoch_and_an_empty_book():
    """What belongs to the earlier stay is closed and counts for nothing."""
    held = holdings()
    (first,) = held.add([0])
    add_acked(held.books[0], 0)
    held.remove([held.books[0]])
    (second,) = held.add([0])

    assert first.is_closed
    assert (second.is_closed, second.epoch > first.epoch) == (False, True)
    assert held.advance() == {}


def test_rewound_log_starts_a_new_epoch():
    """A book that was refused an offset is replaced, and the new one takes it."""
    held = holdings()
    held.add([0])
    old = held.books[0]
    add_acked(old, 5)
    new = held.renew(old)
    add_acked(held.books[0], 2)

    assert old.assignment.is_closed
    assert held.books[0].assignment is new
    assert held.advance() == {0: 3}


def test_removing_an_older_book_leaves_the_newer_one():
    """A late removal of an earlier stay does not take the present one away."""
    held = holdings()
    held.add([0])
    old = held.books[0]
    held.remove([old])
    held.add([0])
    held.remove([old])

    assert 0 in held.books
