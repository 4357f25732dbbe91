"""When a message is settled: the rules of the delivery contract, as flags.

- *Chain*: `NO_CHAIN` (no router has it), `RUNNING` (the chain's own hold: nothing settles before it returns), `RETURNED`.
- *Verdict*: `UNDECIDED`, `ACKED`, `NACKED`. The first word counts until a redelivery starts over.
- *Holds*: the first one lies inside the message (`_owner`, `_part`, `_open`), because nearly every message has at most
  one; further holds, failures and poison live in `Extra`, which most messages never get.

Whoever is done writes one flag; the thread that owns the offset book reads them. Nothing here takes a lock on the way
of a good message: under the interpreter lock a store to one attribute is atomic, and the book may read an old value, which
only means that it looks again later. The lock below is for the rare paths that change several things at once.
"""

from __future__ import annotations

import threading

NO_CHAIN, RUNNING, RETURNED = 0, 1, 2
UNDECIDED, ACKED, NACKED = 0, 1, 2

RARE = threading.Lock()
"""Guards the making and changing of `Extra`: several holds or a failure on one message."""


class Failure:
    """One owner's (or the chain's) word that it cannot do its part."""

    __slots__ = ("error", "owner", "part")

    def __init__(self, error: BaseException, owner: object = None, part: int = 0) -> None:
        self.error = error
        self.owner = owner
        self.part = part

    def forget_traceback(self) -> None:
        """Let go of the frames behind the error. They lead back to the message, which the garbage collector does not look
        into: kept, neither would ever be freed."""
        errors: list[BaseException | None] = [self.error]
        known: set[int] = set()
        while errors:
            error = errors.pop()
            if error is None or id(error) in known:
                continue
            known.add(id(error))
            error.__traceback__ = None
            errors += [error.__cause__, error.__context__]
            if isinstance(error, BaseExceptionGroup):
                errors += error.exceptions


class Extra:
    """The less common part of one message's settlement."""

    __slots__ = ("failures", "holds", "is_confirmed", "is_void")

    def __init__(self) -> None:
        self.holds: dict[tuple[int, int], tuple[object, bool]] = {}
        """Further holds: (owner's id, part) -> (owner, is open). The owner is kept, or its id could be used again."""
        self.failures: list[Failure] = []
        self.is_void = False
        """The poison sink has the message: nobody else need finish with it."""
        self.is_confirmed = False
        """The poison sink's record is safe."""

    @property
    def is_settled(self) -> bool:
        """Whether all that is recorded here is done."""
        is_open = self.is_open  # read before the failures: `Message.fail` writes in the opposite order
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
