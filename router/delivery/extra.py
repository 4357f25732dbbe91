"""What few deliveries have: several holds, failures, poison, output that is not published."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .failure import Failure
from .parts import Division


class Extra:
    """The less common part of one delivery."""

    __slots__ = ("counted", "division", "failures", "holds", "is_confirmed", "is_void", "originals", "unsent")

    def __init__(self) -> None:
        self.holds: dict[tuple[int, int], tuple[object, bool]] = {}
        """Further holds: (owner's id, part) -> (owner, is open). The owner is kept, or its id could be used again."""
        self.failures: list[Failure] = []
        self.is_void = False
        """The poison sink has the message: nobody else need finish with it."""
        self.is_confirmed = False
        """The poison sink's record is safe."""
        self.counted = 0
        """Failures that count towards the bound of the redeliveries."""
        self.originals: dict[str, Any] = {}
        """Those of the fields of its content that were delivered, once something else was put into their place."""
        self.division: Division | None = None
        """Who has taken it apart; `None` for a message that is one thing."""
        self.unsent: Sequence[Any] = ()
        """What its handler has produced and its publisher has not confirmed: sent again instead of asking the handler again."""

    def let_go(self, owner: object, part: int) -> bool:
        """Close the further hold of *owner*; returns whether it was open. Under `RARE`."""
        key = (id(owner), part)
        was_open = self.is_held_by(owner, part)
        if was_open:
            self.holds[key] = (owner, False)
        return was_open

    def is_held_by(self, owner: object, part: int) -> bool:
        """Whether the further hold of *owner* is out."""
        return self.holds.get((id(owner), part), (None, False))[1]

    @property
    def is_settled(self) -> bool:
        """Whether all that is recorded here is done."""
        is_open = self.is_open  # read before the failures: `Delivery.fail` writes in the opposite order
        if self.is_void or self.failures:
            return self.is_confirmed
        return not is_open

    @property
    def is_open(self) -> bool:
        """Whether a further hold is still out."""
        return any(is_open for _, is_open in list(self.holds.values()))

    @property
    def owners(self) -> list[object]:
        """Whose further holds are still out."""
        return [owner for owner, is_open in list(self.holds.values()) if is_open]
