"""The partitions of one consumer: books, epochs, and what has moved. No broker."""

from millstream.router import Assignment, Message
from millstream.router.kafka.consuming.owned_partitions import OwnedPartitions


def owned_partitions(max_pending=10):
    """Return the partitions of a topic."""
    return OwnedPartitions("t", max_pending, lambda partition, epoch: Assignment("t", partition, epoch))


def add_acked(book, *offsets):
    """Append acked messages to *book*."""
    for offset in offsets:
        message = Message(b"", uuid="u", offset=offset, assignment=book.assignment)
        message.ack()
        book.append(message)


def test_what_moved_is_reported_once():
    """The next offset of a partition is reported when it has moved, and not again."""
    owned = owned_partitions()
    owned.add([0, 1])
    add_acked(owned.books[1], 7, 9)

    assert [owned.advance(), owned.advance()] == [{1: 10}, {}]


def test_what_was_let_go_of_is_reported_at_the_next_look():
    """Letting settled messages go reports nothing by itself."""
    owned = owned_partitions()
    owned.add([0, 1])
    add_acked(owned.books[1], 7, 9)
    owned.let_go_of_settled()

    assert owned.books[1].pending == 0
    assert owned.advance() == {1: 10}


def test_offsets_that_could_not_be_stored_are_reported_again():
    """A failed store is made up for."""
    owned = owned_partitions()
    owned.add([0])
    add_acked(owned.books[0], 0)
    owned.advance()
    owned.forget_stored([0])

    assert owned.advance() == {0: 1}


def test_reassigned_partition_has_a_new_epoch_and_an_empty_book():
    """What belongs to the earlier stay is closed and counts for nothing."""
    owned = owned_partitions()
    (first,) = owned.add([0])
    add_acked(owned.books[0], 0)
    owned.remove([owned.books[0]])
    (second,) = owned.add([0])

    assert first.is_closed
    assert (second.is_closed, second.epoch > first.epoch) == (False, True)
    assert owned.advance() == {}


def test_rewound_log_starts_a_new_epoch():
    """A book that was refused an offset is replaced, and the new one takes it."""
    owned = owned_partitions()
    owned.add([0])
    old = owned.books[0]
    add_acked(old, 5)
    new = owned.renew(old)
    add_acked(owned.books[0], 2)

    assert old.assignment.is_closed
    assert owned.books[0].assignment is new
    assert owned.advance() == {0: 3}


def test_removing_an_older_book_leaves_the_newer_one():
    """A late removal of an earlier stay does not take the present one away."""
    owned = owned_partitions()
    owned.add([0])
    old = owned.books[0]
    owned.remove([old])
    owned.add([0])
    owned.remove([old])

    assert 0 in owned.books
