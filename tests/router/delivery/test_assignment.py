"""A partition for as long as it is ours."""

from millstream.router import Assignment, Message


def test_assignments_are_told_apart_by_identity():
    """A partition that comes back is another assignment, even with the same numbers."""
    first, again = Assignment("t", 0, 1), Assignment("t", 0, 1)

    assert first != again
    assert len({first, again}) == 2


def test_close_implies_closing():
    """Who looks only at whether it goes sees a lost partition too."""
    assignment = Assignment("t", 0)
    before = (assignment.is_closing, assignment.is_closed)

    assignment.close()
    assignment.close()

    assert (before, assignment.is_closing, assignment.is_closed) == ((False, False), True, True)


def test_wake_and_redeliver_reach_the_subscription():
    """They are what it was made with."""
    calls = []
    assignment = Assignment("t", 0, wake=lambda: calls.append("wake"), redeliver=calls.append)
    message = Message(b"x")

    assignment.wake()
    assignment.redeliver(message)

    assert calls == ["wake", message]


def test_assignment_without_a_subscription_can_be_woken():
    """One made for a test needs nobody behind it."""
    assignment = Assignment("t", 0)

    assignment.wake()
    assignment.redeliver(Message(b""))

    assert not assignment.is_closed


def test_repr_says_where_and_in_what_state():
    """For people reading a log."""
    assignment = Assignment("t", 3, 7)
    seen = [repr(assignment)]
    assignment.is_closing = True
    seen.append(repr(assignment))
    assignment.close()

    assert [*seen, repr(assignment)] == [
        "<Assignment t[3] epoch 7>",
        "<Assignment t[3] epoch 7 closing>",
        "<Assignment t[3] epoch 7 closed>",
    ]
