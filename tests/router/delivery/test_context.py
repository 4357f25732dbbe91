"""Values, deadline and the news that work was called off."""

import threading

import pytest

from millstream.router import Assignment, Cancelled, Context, DeadlineExceeded, Message, Scope, TransientError
from millstream.router.delivery.route import Route
from millstream.router.testing import ManualClock


def context_of(clock=None):
    """Return a context and the assignment and scope it hangs at."""
    assignment = Assignment("t", 0)
    assignment.scope = Scope(ManualClock() if clock is None else clock)
    return Context(assignment), assignment, assignment.scope


class Waiter:
    """A thread that waits on a context and remembers how that ended."""

    def __init__(self, wait):
        self.outcome = None
        self._wait = wait
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self._wait()
            self.outcome = "waited"
        except (Cancelled, DeadlineExceeded) as error:
            self.outcome = type(error)

    def join(self):
        """Return how the wait ended."""
        self._thread.join(10.0)
        return self.outcome


def test_context_of_no_subscription_is_never_cancelled():
    """It has values, no deadline, and lasts."""
    context = Message(b"").context

    assert (context.values, context.deadline, context.is_cancelled, context.is_closing) == ({}, None, False, False)


def test_wait_ends_when_its_time_is_over():
    """Not before, on the injected clock."""
    clock = ManualClock()
    context, _, _ = context_of(clock)
    waiter = Waiter(lambda: context.wait(5.0))
    assert clock.wait_for_waiters()

    clock.advance(4.999)
    assert clock.wait_for_waiters()
    early = waiter.outcome
    clock.advance(0.001)

    assert (early, waiter.join()) == (None, "waited")


def test_wait_of_no_seconds_returns_at_once():
    """A retry without backoff does not block."""
    context, _, _ = context_of()

    context.wait(0.0)

    assert not context.is_cancelled


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(lambda assignment, scope: scope.close(), id="the router closes"),
        pytest.param(lambda assignment, scope: scope.cancel(), id="the router calls everything off"),
        pytest.param(
            lambda assignment, scope: (setattr(assignment, "is_closing", True), scope.notify()), id="the partition goes"
        ),
        pytest.param(lambda assignment, scope: (assignment.close(), scope.notify()), id="the partition is lost"),
    ],
)
@pytest.mark.parametrize("deadline", [None, 1.0, 9.0], ids=["no deadline", "early deadline", "late deadline"])
def test_wait_ends_as_soon_as_work_is_called_off(end, deadline):
    """A retry sleep holds up neither a shutdown nor a revoke; waits that begin later end at once."""
    clock = ManualClock()
    context, assignment, scope = context_of(clock)
    context.deadline = deadline
    waiter = Waiter(lambda: context.wait(5.0))
    assert clock.wait_for_waiters()

    end(assignment, scope)

    assert waiter.join() is Cancelled
    with pytest.raises(Cancelled):
        context.wait(5.0)


def test_one_partition_going_does_not_end_the_waits_of_another():
    """The scope is shared, the partition is not."""
    clock = ManualClock()
    context, _, scope = context_of(clock)
    other = Assignment("t", 1)
    other.scope = scope
    waiter = Waiter(lambda: context.wait(5.0))
    assert clock.wait_for_waiters()

    other.is_closing = True
    scope.notify()
    clock.advance(5.0)

    assert waiter.join() == "waited"


def test_wait_past_the_deadline_ends_at_the_deadline():
    """Nobody waits for the result any more: a transient error, so that retry and redelivery may go on."""
    clock = ManualClock(100.0)
    context, _, _ = context_of(clock)
    context.deadline = 102.0
    waiter = Waiter(lambda: context.wait(5.0))
    assert clock.wait_for_waiters()

    clock.advance(2.0)

    assert waiter.join() is DeadlineExceeded
    assert issubclass(DeadlineExceeded, TransientError)


def test_wait_up_to_the_deadline_is_a_whole_wait():
    """The deadline itself is still in time."""
    clock = ManualClock()
    context, _, _ = context_of(clock)
    context.deadline = 5.0
    waiter = Waiter(lambda: context.wait(5.0))
    assert clock.wait_for_waiters()

    clock.advance(5.0)

    assert waiter.join() == "waited"


def test_context_is_cancelled_at_its_deadline():
    """A long loop that asks stops when nobody waits for it; without a deadline it goes on."""
    clock = ManualClock()
    context, _, _ = context_of(clock)
    context.deadline = 2.0
    before = context.is_cancelled
    clock.advance(2.0)
    after = context.is_cancelled
    context.deadline = None

    assert (before, after, context.is_cancelled) == (False, True, False)


def test_scope_that_closes_ends_waits_but_not_running_work():
    """Handlers may finish: only a cancelled scope calls them off."""
    context, _, scope = context_of()
    scope.close()
    closing = (context.is_closing, context.is_cancelled)
    scope.cancel()

    assert (closing, context.is_closing, context.is_cancelled) == ((True, False), True, True)


def test_going_partition_cancels_its_contexts():
    """Work on it is in vain from the moment it is closing."""
    context, assignment, _ = context_of()

    assignment.is_closing = True

    assert (context.is_cancelled, context.is_closing) == (True, True)


def test_ended_context_is_cancelled():
    """After settlement there is nothing left to do for the message."""
    context, _, _ = context_of()

    context.end()

    assert context.is_cancelled


def test_context_goes_by_the_clock_of_its_router():
    """Deadlines and waits are measured on one clock, which a test may inject."""
    clock = ManualClock()
    context, _, _ = context_of(clock)

    assert context.clock is clock


def test_context_says_whose_chain_the_message_is_in():
    """Handler, topic and where its output goes; nothing for a message that no router has."""
    context, assignment, _ = context_of()
    before = context.handler_name, context.subscribe_topic, context.publish_topic
    assignment.route = Route("orders", "in", "FakeSubscriber", "out")

    assert before == ("", "", "")
    assert (context.handler_name, context.subscribe_topic, context.publish_topic) == ("orders", "in", "out")
