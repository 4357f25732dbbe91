"""What waits for a redelivery, and what waits behind it."""

from millstream.router import Assignment, Message
from millstream.router.delivery.parking import Parking

FIRST, SECOND = Assignment("t", 0), Assignment("t", 1)


def message(name, assignment=FIRST):
    """Return a message of that name."""
    return Message(name.encode(), assignment=assignment)


def names(messages):
    """Return the names of *messages*."""
    return [each.payload.decode() for each in messages]


def test_empty_parking_holds_nothing():
    """Nothing due, nothing held, false."""
    parking = Parking()

    assert (parking.next_due(), parking.take_due(1e9), len(parking), parking.holds(FIRST)) == (None, [], 0, False)


def test_parked_message_comes_back_at_its_moment_with_those_behind_it_in_order():
    """Nothing overtakes the nacked message; not a moment early."""
    parking = Parking()
    parking.park(FIRST, message("a"), 5.0)
    parking.queue(FIRST, [message("b"), message("c")])
    parking.queue(FIRST, iter([message("d")]))

    early = parking.take_due(4.999)
    size = len(parking)

    assert (early, size, parking.next_due()) == ([], 4, 5.0)
    assert names(parking.take_due(5.0)) == ["a", "b", "c", "d"]
    assert (len(parking), parking.holds(FIRST), parking.next_due()) == (0, False, None)


def test_message_parked_again_stands_before_those_behind_it():
    """A second failure puts it back where it was."""
    parking = Parking()
    parking.park(FIRST, message("a"), 1.0)
    parking.queue(FIRST, [message("b")])
    first = parking.next_message(1.0)

    parking.park(FIRST, first, 2.0)

    assert (len(parking), parking.next_due(), parking.next_message(1.9)) == (2, 2.0, None)
    assert names(parking.take_due(2.0)) == ["a", "b"]


def test_message_that_is_due_is_taken_and_those_behind_it_stay_due():
    """Whoever takes them one by one may stop in between: the rest waits for its turn, and the key is held until then."""
    parking = Parking()
    parking.park(FIRST, message("a"), 1.0)
    parking.queue(FIRST, [message("b")])

    taken = [parking.next_message(1.0)]
    between = (parking.holds(FIRST), parking.next_due(), len(parking))
    parking.queue(FIRST, [message("c")])
    taken += [parking.next_message(1.0), parking.next_message(1.0), parking.next_message(1.0)]

    assert between == (True, 1.0, 1)
    assert names(taken[:3]) == ["a", "b", "c"]
    assert taken[3] is None
    assert not parking.holds(FIRST)


def test_key_that_was_due_first_comes_first():
    """However many keys there are: one that fails again goes behind the others that are due."""
    parking = Parking()
    for number in range(100):
        parking.park(number, message(str(number)), 100.0 - number)
    first = parking.next_message(100.0)
    parking.park(99, first, 100.0)

    assert names(parking.take_due(100.0)) == [str(number) for number in reversed(range(99))] + ["99"]


def test_keys_wait_apart():
    """One partition's failure does not delay another's; the earliest moment is next."""
    parking = Parking()
    parking.park(FIRST, message("a"), 5.0)
    parking.park(SECOND, message("b"), 3.0)

    assert (parking.holds(FIRST), parking.holds(SECOND), parking.next_due()) == (True, True, 3.0)
    assert names(parking.take_due(4.0)) == ["b"]
    assert (parking.holds(FIRST), parking.holds(SECOND), parking.next_due(), len(parking)) == (True, False, 5.0, 1)


def test_messages_of_a_lost_partition_are_dropped():
    """Its keys are free again; other partitions keep theirs."""
    parking = Parking()
    parking.park((FIRST, b"k"), message("a"), 1.0)
    parking.queue((FIRST, b"k"), [message("b")])
    parking.park((SECOND, b"k"), message("c", SECOND), 2.0)

    assert parking.discard([FIRST]) == 2
    assert (len(parking), parking.holds((FIRST, b"k")), parking.next_due()) == (1, False, 2.0)
    assert parking.discard([FIRST]) == 0
    assert names(parking.take_due(2.0)) == ["c"]
