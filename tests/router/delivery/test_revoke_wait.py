"""For whom a revoke waits, and how long: plain values, no thread."""

import pytest

from millstream.router import Assignment, Message
from millstream.router.delivery.offset_book import OffsetBook
from millstream.router.delivery.revoke_wait import USER_HOLD_SECONDS, RevokeWait
from millstream.router.delivery.route import Route
from millstream.router.delivery.settlement import NACKED, NO_CHAIN, RETURNED, RUNNING
from millstream.router.testing import FakeWorker

WORKER = FakeWorker("batcher")
DEADLINE = 10.0
LATER = USER_HOLD_SECONDS + 0.1


def held_by(*owners, route=True):
    """Return a wait that began at 0 for a book of one handled message, and the holds of *owners* on it."""
    place = Assignment("events", 0)
    if route:
        place.route = Route("h", "events", "S", workers=[WORKER])
    message = Message(b"", topic="events", partition=0, offset=0, assignment=place)
    message.delivery.begin()
    holds = [message.hold(owner) for owner in owners]
    message.delivery.finish()
    book = OffsetBook(place)
    book.append(message)
    return RevokeWait([book], 0.0, DEADLINE), holds


def test_hold_of_a_worker_is_waited_for_until_the_deadline():
    """A worker was asked to flush, so it is worth waiting for."""
    wait, _ = held_by(WORKER)

    assert [wait.is_over(now) for now in (0.0, LATER, DEADLINE - 0.1, DEADLINE)] == [False, False, False, True]
    assert not wait.is_drained


def test_users_own_hold_counts_only_in_the_first_second():
    """Nobody told its owner to hurry, and the whole group waits."""
    wait, _ = held_by("user")

    assert [wait.is_over(now) for now in (0.0, USER_HOLD_SECONDS - 0.1, LATER)] == [False, False, True]


def test_user_beside_a_worker_counts_only_in_the_first_second():
    """What the worker releases cannot be committed while the user holds it too."""
    wait, _ = held_by(WORKER, "user")

    assert [wait.is_over(now) for now in (0.5, LATER)] == [False, True]


def test_without_a_router_every_hold_is_the_users():
    """Nobody was asked to flush."""
    wait, _ = held_by(WORKER, route=False)

    assert [wait.is_over(now) for now in (0.5, LATER)] == [False, True]


@pytest.mark.parametrize("owner", [WORKER, "user"])
def test_release_ends_the_wait_at_once(owner):
    """What is settled needs no waiting, whoever held it."""
    wait, (hold,) = held_by(owner)
    before = wait.is_over(0.1)
    hold.release()

    assert (before, wait.is_over(0.1), wait.is_drained) == (False, True, True)


def test_poison_sink_is_waited_for_whoever_else_holds():
    """Once the sink has a message the holds of others mean nothing."""
    wait, (hold,) = held_by("user")
    hold.message.delivery.poison_failed()

    assert not wait.is_over(LATER)
    hold.message.delivery.confirm()
    assert wait.is_over(LATER)


@pytest.mark.parametrize(("verdict", "chain"), [(0, NO_CHAIN), (0, RUNNING), (NACKED, RETURNED)])
def test_front_that_cannot_settle_here_is_not_waited_for(verdict, chain):
    """Never started, cancelled, or waiting for its redelivery: it comes again elsewhere."""
    wait, (hold,) = held_by(WORKER)
    hold.message.delivery.verdict, hold.message.delivery.chain = verdict, chain

    assert wait.is_over(0.0)
    assert wait.is_drained
