"""How one consumer stands to its group, without I/O: what has happened goes in, what is to be done next comes out.

A consumer joins once and stays a member through every rebalance, with one exception: when partitions are given to it and nobody
tells where they begin, it can neither read them nor would the group give them to another. Then it leaves, waits until everything
it had has gone, and joins again:

    OUTSIDE --join--> MEMBER --start untold--> ASTRAY --leave--> RETURNING --join, once nothing is left--> MEMBER

An assignment that was under way when it left may still come in, and its starts be untold as well: then it leaves once more.
Closing may come from any thread, at any time, and is never taken back: it hides every other state, so that nothing new begins.
"""

from __future__ import annotations

from enum import Enum

from ...errors import StateError


class State(Enum):
    """Where a consumer stands."""

    OUTSIDE = "outside its group"
    MEMBER = "a member of its group"
    ASTRAY = "given partitions without a start"
    RETURNING = "about to join again"
    CLOSING = "closing"


class Move(Enum):
    """What changes that."""

    JOIN = "join"
    START_UNTOLD = "miss the start of its partitions"
    LEAVE = "leave to join again"


MOVES = {
    (State.OUTSIDE, Move.JOIN): State.MEMBER,
    (State.MEMBER, Move.START_UNTOLD): State.ASTRAY,
    (State.ASTRAY, Move.START_UNTOLD): State.ASTRAY,
    (State.ASTRAY, Move.LEAVE): State.RETURNING,
    (State.RETURNING, Move.START_UNTOLD): State.ASTRAY,
    (State.RETURNING, Move.JOIN): State.MEMBER,
}
"""Everything that may happen; the rest is a bug of the caller."""


class Membership:
    """The state of one consumer. For its poll thread only, but for `close` and `is_closing`."""

    def __init__(self) -> None:
        self._state = State.OUTSIDE
        self._is_closing = False
        """Beside the state, and without a lock: two threads write, and a signal may come while one of them does."""

    def close(self) -> None:
        """Begin nothing new from now on. From any thread, as often as anybody likes."""
        self._is_closing = True

    @property
    def is_closing(self) -> bool:
        """Whether it is to leave for good. From any thread."""
        return self._is_closing

    @property
    def state(self) -> State:
        """Where it stands."""
        return State.CLOSING if self._is_closing else self._state

    def due(self, *, has_partitions: bool) -> Move | None:
        """Return what is to be done next, if anything is. Only done, and told to `take`, does it cease to be due."""
        state = self.state
        if state is State.OUTSIDE or (state is State.RETURNING and not has_partitions):
            return Move.JOIN
        return Move.LEAVE if state is State.ASTRAY else None

    def take(self, move: Move) -> None:
        """Take note of *move*. What was begun before a close may end after it.

        Raises:
            StateError: nothing of the kind can happen here.
        """
        state = MOVES.get((self._state, move))
        if state is None:
            raise StateError(f"a consumer that is {self._state.value} cannot {move.value}")
        self._state = state
