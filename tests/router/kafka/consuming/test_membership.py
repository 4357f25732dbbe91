"""How a consumer stands to its group: every move in every state, what is due, and the close. No broker, no thread."""

import itertools

import pytest

from millstream.router import StateError
from millstream.router.kafka.consuming.membership import Membership, Move, State

WAYS = {
    State.OUTSIDE: [],
    State.MEMBER: [Move.JOIN],
    State.ASTRAY: [Move.JOIN, Move.START_UNTOLD],
    State.RETURNING: [Move.JOIN, Move.START_UNTOLD, Move.LEAVE],
}
"""How to get there."""
LEGAL = {
    (State.OUTSIDE, Move.JOIN): State.MEMBER,
    (State.MEMBER, Move.START_UNTOLD): State.ASTRAY,
    (State.ASTRAY, Move.START_UNTOLD): State.ASTRAY,
    (State.ASTRAY, Move.LEAVE): State.RETURNING,
    (State.RETURNING, Move.START_UNTOLD): State.ASTRAY,
    (State.RETURNING, Move.JOIN): State.MEMBER,
}
ILLEGAL = [each for each in itertools.product(WAYS, Move) if each not in LEGAL]


def named(pair):
    """Return how a test of *pair* is called."""
    return "-".join(each.name.lower() for each in pair)


def standing(state):
    """Return a membership in *state*."""
    membership = Membership()
    for move in WAYS[state]:
        membership.take(move)
    assert membership.state is state
    return membership


@pytest.mark.parametrize("pair", LEGAL, ids=named)
def test_move_leads_to_the_next_state(pair):
    """All that may happen."""
    state, move = pair
    membership = standing(state)
    membership.take(move)

    assert membership.state is LEGAL[pair]


@pytest.mark.parametrize("pair", ILLEGAL, ids=named)
def test_move_that_cannot_be_is_refused(pair):
    """A caller's bug shows where it is made, and changes nothing."""
    state, move = pair
    membership = standing(state)
    with pytest.raises(StateError, match=f"{state.value} cannot {move.value}"):
        membership.take(move)

    assert membership.state is state


@pytest.mark.parametrize(
    ("state", "has_partitions", "move"),
    [
        pytest.param(State.OUTSIDE, False, Move.JOIN, id="joins first of all"),
        pytest.param(State.OUTSIDE, True, Move.JOIN, id="joins whatever it has"),
        pytest.param(State.MEMBER, False, None, id="a member without partitions waits for some"),
        pytest.param(State.MEMBER, True, None, id="a member does not join twice"),
        pytest.param(State.ASTRAY, False, Move.LEAVE, id="leaves where nobody tells the starts"),
        pytest.param(State.ASTRAY, True, Move.LEAVE, id="also with partitions that it can read"),
        pytest.param(State.RETURNING, True, None, id="waits until the last partition has gone"),
        pytest.param(State.RETURNING, False, Move.JOIN, id="and joins again"),
    ],
)
def test_what_is_due(state, has_partitions, move):
    """It is due until it was taken: asking changes nothing."""
    membership = standing(state)
    asked = [membership.due(has_partitions=has_partitions) for _ in range(2)]

    assert asked == [move, move]


@pytest.mark.parametrize("has_partitions", [False, True])
@pytest.mark.parametrize("state", WAYS, ids=lambda state: state.name.lower())
def test_nothing_is_due_once_it_closes(state, has_partitions):
    """Whatever it was about to do: it neither joins nor leaves to come back."""
    membership = standing(state)
    was_closing = membership.is_closing
    membership.close()
    membership.close()

    assert (was_closing, membership.is_closing) == (False, True)
    assert membership.state is State.CLOSING
    assert membership.due(has_partitions=has_partitions) is None


@pytest.mark.parametrize("pair", LEGAL, ids=named)
def test_close_is_not_undone_by_what_was_under_way(pair):
    """Another thread may close between what is due and the word that it was done."""
    state, move = pair
    membership = standing(state)
    membership.close()
    membership.take(move)

    assert membership.state is State.CLOSING


@pytest.mark.parametrize("pair", ILLEGAL, ids=named)
def test_close_hides_no_bug(pair):
    """What cannot be before a close cannot be after it."""
    state, move = pair
    membership = standing(state)
    membership.close()

    with pytest.raises(StateError):
        membership.take(move)
