"""Holds under threads: the first word counts, and no order of words lets a message go early."""

import sys
import threading
from functools import partial

import pytest

from millstream.router import Message, OffsetBook
from millstream.router.delivery.settlement import Extra
from tests.router.delivery.model.stand_ins import StepSink, delivered, handle, routed

pytestmark = pytest.mark.slow  # thousands of rounds of threads

ROUNDS = 300


@pytest.fixture(autouse=True)
def _eager_switching():
    """Let the interpreter switch threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def race(*actions):
    """Run *actions* at once, each on a thread; returns what they returned, and raises what one of them raised."""
    barrier, results, errors = threading.Barrier(len(actions)), {}, []

    def run(place, action):
        barrier.wait(10.0)
        try:
            results[place] = action()
        except Exception as error:  # noqa: BLE001 - raised again on the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=each) for each in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10.0)
    if errors:
        raise errors[0]
    return [results[place] for place in range(len(actions))]


def booked():
    """Return a message with a sink, and its book."""
    sink = StepSink()
    book = OffsetBook(routed(sink))
    (message,) = delivered(book.assignment, [0])
    book.append(message)
    return message, book, sink


def advance_often(book):
    """Look at the book as a poll thread does, many times."""
    for _ in range(50):
        book.advance()


def release_and_look(message, book):
    """Release the hold of "a", and look at the book at once."""
    message.delivery.release("a")
    book.advance()


def test_one_of_many_failures_of_one_hold_counts():
    """Eight threads fail the same hold: one failure, told once."""
    for _ in range(ROUNDS // 6):
        message, _, sink = booked()
        hold = message.hold("a")
        handle(message)

        race(*[partial(hold.fail, ValueError())] * 8)

        assert (len(message.failures), sink.told, message.is_held) == (1, 1, False)


@pytest.mark.parametrize("further", [False, True], ids=["first hold", "further hold"])
def test_release_against_fail_ends_in_exactly_one_way(further):
    """The message is settled with no failure or waits for the sink with one: never both, which would store and poison it."""
    for _ in range(ROUNDS):
        message, book, sink = booked()
        if further:
            message.delivery.hold("first")
            message.delivery.release("first")
        message.delivery.hold("a")
        handle(message)

        race(partial(message.fail, ValueError(), "a"), partial(release_and_look, message, book))
        book.advance()

        assert (book.settled, sink.told, len(message.failures)) in [(1, 0, 0), (0, 1, 1)]


class Meddling(int):
    """Part 0, during whose second comparison something else happens: the place where a thread may be interrupted."""

    def __new__(cls, meddle):
        """Return a part that calls *meddle*."""
        part = super().__new__(cls, 0)
        part.meddle, part.looks = meddle, 0
        return part

    def __eq__(self, other):
        self.looks += 1
        if self.looks == 2:
            self.meddle()
        return int(self) == int(other)

    __hash__ = int.__hash__


def test_release_in_the_middle_of_a_fail_comes_first():
    """The hold was still open when the fail looked, and is not when it lets go: the release counts, nobody is told."""
    message, book, sink = booked()
    message.delivery.hold("a")
    handle(message)

    message.fail(ValueError(), "a", Meddling(partial(release_and_look, message, book)))
    book.advance()

    assert (book.settled, sink.told, message.failures) == (1, 0, [])


def test_fail_between_two_looks_of_the_book_is_not_missed(monkeypatch):
    """A further hold is failed after the book has begun to look at the message: its failure is seen with its end."""
    message, book, sink = booked()
    message.delivery.hold("a")
    message.delivery.hold("b")
    handle(message)
    message.delivery.release("a")
    is_open = Extra.is_open.fget

    def interrupted(extra):
        monkeypatch.undo()
        message.fail(ValueError(), "b")
        return is_open(extra)

    monkeypatch.setattr(Extra, "is_open", property(interrupted))

    assert (book.advance(), sink.told) == (0, 1)


def test_fail_of_the_first_hold_between_two_looks_of_the_book_is_not_missed(monkeypatch):
    """The book has found the further holds in order when the first one fails: it was out when the look began."""
    message, book, sink = booked()
    message.delivery.hold("a")
    message.delivery.hold("b")
    handle(message)
    message.delivery.release("b")
    is_settled = Extra.is_settled.fget

    def interrupted(extra):
        monkeypatch.undo()
        answer = is_settled(extra)
        message.fail(ValueError(), "a")
        return answer

    monkeypatch.setattr(Extra, "is_settled", property(interrupted))

    assert (book.advance(), sink.told) == (0, 1)


@pytest.mark.slow
def test_book_never_lets_a_message_go_while_its_holds_are_being_failed():
    """The poll thread reads at any moment; a failing message stays until its record is safe."""
    for _ in range(ROUNDS):
        message, book, sink = booked()
        message.delivery.hold("a")
        message.delivery.hold("b")
        handle(message)

        race(
            partial(message.fail, ValueError(), "a"),
            partial(message.delivery.release, "b"),
            partial(advance_often, book),
        )

        assert book.next_offset is None
        sink.write()
        assert book.advance() == 1


def test_holds_taken_at_once_by_many_threads_are_all_kept():
    """A handler that hands its message to several workers loses none of their holds."""
    owners = [object() for _ in range(6)]
    for _ in range(ROUNDS // 6):
        message = Message(b"")

        taken = race(*[partial(message.delivery.hold, owner) for owner in owners])
        handle(message)

        seen = []
        for owner in owners:
            seen.append(message.is_settled)
            message.delivery.release(owner)
        assert (taken, seen, message.is_settled) == ([True] * 6, [False] * 6, True)


def test_ack_against_nack_has_one_winner():
    """Exactly one word gets through, and both callers learn which."""
    for _ in range(ROUNDS):
        message = Message(b"")

        answers = race(message.ack, message.nack)

        assert answers == [message.is_acked, message.is_nacked]
        assert message.is_acked is not message.is_nacked
