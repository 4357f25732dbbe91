"""Where every message comes by, calls of `Delivery` are written out: what is done there must stay what the calls do."""

import itertools

import pytest

from millstream.router import (
    Assignment,
    Cancelled,
    InMemoryConfig,
    InMemoryPubSub,
    Message,
    OffsetBook,
    Router,
    StateError,
)
from millstream.router.delivery.settlement import ACKED, NACKED, NO_CHAIN, RETURNED, RUNNING, UNDECIDED
from millstream.router.testing import eventually, running
from tests.router.delivery.model.stand_ins import StepSink, delivered, routed

OWNER, OTHER = object(), object()

HANDLERS = {
    "returns": lambda message: None,
    "acks": lambda message: message.ack(),
    "nacks": lambda message: message.nack(),
    "acks, then nacks": lambda message: (message.ack(), message.nack()),
    "holds": lambda message: message.hold(OWNER),
    "holds twice": lambda message: (message.hold(OWNER), message.hold(OTHER, 3)),
    "holds and releases": lambda message: message.hold(OWNER).release(),
    "holds and fails": lambda message: message.hold(OWNER).fail(ValueError()),
}


def flags_of(message):
    """Return what a chain and its return leave of a message."""
    delivery = message.delivery
    return delivery.chain, delivery.verdict, delivery.is_open, delivery.owner, len(delivery.failures), delivery.is_held


@pytest.mark.parametrize("handler", HANDLERS.values(), ids=HANDLERS)
def test_runner_does_what_begin_and_finish_do(handler):
    """The same flags while the chain runs, and after it: a nack keeps the message in its chain's hands."""
    inside, by_router, by_calls = [], [], Message(b"x")

    def look(message):
        inside.append(flags_of(message))
        handler(message)
        by_router.append(message)

    router, broker = Router(), InMemoryPubSub(InMemoryConfig())
    router.add_consumer_handler("h", "t", broker, look, poison="drop")
    with running(router):
        broker.publish("t", Message(b"x"))
        broker.publish("t", Message(b"behind"))
        # The chain has returned for good when the next message is in it, or the same one again after a nack.
        assert eventually(lambda: len(by_router) >= 2)
        after = flags_of(by_router[0])
    by_calls.delivery.begin()
    begun = flags_of(by_calls)
    handler(by_calls)
    is_finished = by_calls.delivery.finish()

    assert inside[0] == begun
    assert (by_router[1] is not by_router[0]) == is_finished
    if is_finished:
        assert after[:2] == flags_of(by_calls)[:2] == (RETURNED, ACKED)
        assert after[2:4] == flags_of(by_calls)[2:4]


def first_hold(delivery, state):
    """Bring the first hold of *delivery* into *state*."""
    if state != "none":
        delivery.hold(OWNER)
    if state == "released":
        delivery.release(OWNER)


def the_rest(delivery, state):
    """Bring what lies in the extra part of *delivery* into *state*."""
    if state.startswith("further"):
        delivery.hold(OTHER, 1)
    if state == "further released":
        delivery.release(OTHER, 1)
    if state == "further failed":
        delivery.fail(ValueError(), OTHER, 1)
    if state in ("void", "confirmed"):
        delivery.poison(ValueError())
    if state == "confirmed":
        delivery.confirm()


@pytest.mark.parametrize("hold", ["none", "open", "released"])
@pytest.mark.parametrize("rest", ["none", "further open", "further released", "further failed", "void", "confirmed"])
def test_book_lets_go_what_is_settled(hold, rest):
    """In every combination of chain, verdict, holds, failure and poison."""
    for chain, verdict in itertools.product((NO_CHAIN, RUNNING, RETURNED), (UNDECIDED, ACKED, NACKED)):
        book = OffsetBook(routed(StepSink()))
        (message,) = delivered(book.assignment, [0])
        book.append(message)
        first_hold(message.delivery, hold)
        the_rest(message.delivery, rest)
        message.delivery.chain, message.delivery.verdict = chain, verdict

        assert book.advance() == message.is_settled == message.delivery.is_settled


HELD = {
    "nobody": lambda delivery: None,
    "the same": lambda delivery: delivery.hold(OWNER, 3),
    "the same, another part": lambda delivery: delivery.hold(OWNER, 0),
    "the same, released": lambda delivery: (delivery.hold(OWNER, 3), delivery.release(OWNER, 3)),
    "another": lambda delivery: delivery.hold(OTHER, 3),
    "another, and the same": lambda delivery: (delivery.hold(OTHER, 3), delivery.hold(OWNER, 3)),
    "nobody, and it is poisoned": lambda delivery: delivery.poison(ValueError()),
}
"""Who has it before it is held, with the part 3 of OWNER or with another."""


def two_alike(before, chain, is_closed=False):
    """Return two messages in the same state."""
    assignment = Assignment("t", 0)
    pair = delivered(assignment, [0, 1])
    for message in pair:
        before(message.delivery)
        message.delivery.chain = chain
    if is_closed:
        assignment.close()
    return pair


def everything_of(message):
    """Return all that a hold can change, and who has it."""
    delivery = message.delivery
    return *flags_of(message), delivery.part, delivery.owners, message.is_settled


def outcome_of(call, *arguments):
    """Return which error *call* raises, if any does."""
    try:
        call(*arguments)
    except (StateError, Cancelled) as error:
        return repr(error)
    return None


@pytest.mark.parametrize("chain", [NO_CHAIN, RUNNING, RETURNED])
@pytest.mark.parametrize("is_closed", [False, True], ids=["ours", "gone"])
@pytest.mark.parametrize("before", HELD.values(), ids=HELD)
@pytest.mark.parametrize("part", [0, 3])
def test_message_is_held_as_its_delivery_is(chain, is_closed, before, part):
    """The same state, or the same refusal."""
    one, other = two_alike(before, chain, is_closed)

    said = outcome_of(one.hold, OWNER, part)
    expected = outcome_of(other.delivery.hold, OWNER, part, other.assignment)

    assert (said, everything_of(one)) == (expected, everything_of(other))


@pytest.mark.parametrize("before", HELD.values(), ids=HELD)
@pytest.mark.parametrize("part", [0, 3])
def test_receipt_releases_as_the_delivery_does(before, part):
    """Whoever had it first; and the subscription is told each time, also where there was nothing to release."""
    one, other = two_alike(before, RUNNING)
    woken = []
    one.assignment.wake = lambda: woken.append(1)
    hold = one.hold(OWNER, part)
    other.delivery.hold(OWNER, part)

    for _ in range(2):
        hold.release()
        other.delivery.release(OWNER, part)
        assert everything_of(one) == everything_of(other)
    assert woken == [1, 1]
