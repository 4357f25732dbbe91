"""When a message is settled: the rules of the delivery contract, and the only place that keeps them.

- *Chain*: `NO_CHAIN` (no router has it), `RUNNING` (the chain's own hold: nothing settles before it returns), `RETURNED`; of a
  run also `DIVIDED` (its pieces have deliveries of their own, and this one never settles).
- *Verdict*: `UNDECIDED`, `ACKED`, `NACKED`. The first word counts until a redelivery starts over.
- *Holds*: the first one lies inside the delivery (`owner`, `part`, `is_open`), because nearly every message has at most
  one; further holds, failures and poison live in `Extra`, which most deliveries never get.
- *Settled*: the chain is not running, the verdict is an ack, and every hold is released; or, once something failed, the
  poison record is confirmed.

Whoever is done writes one flag; the thread that owns the offset book reads them. Nothing here takes a lock on the way
of a good message: under the interpreter lock a store to one attribute is atomic, and the book may read an old value, which
only means that it looks again later. The lock below is for the rare paths that change several things at once.

Where every message comes by, calls of this file are written out: in `Runner` (`begin`, `finish`), `OffsetBook.advance`
(`is_settled`), `Message.hold` and `Hold.release`. `tests/router/delivery/test_written_out.py` compares both forms.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..errors import Cancelled, StateError
from .context import Context, Stay
from .extra import Extra
from .failure import Failure
from .parts import Divisible, Division

NO_CHAIN, RUNNING, RETURNED, DIVIDED = 0, 1, 2, 3
UNDECIDED, ACKED, NACKED = 0, 1, 2

RARE = threading.Lock()
"""Guards the making and changing of `Extra`: several holds or a failure on one message."""


class Delivery(msgspec.Struct, gc=False, eq=False, kw_only=True):
    """What has become of one delivery of a message so far; a message and its copies share it.

    Not tracked by the garbage collector, as messages are: it refers to no message, so no circle can form.
    """

    chain: int = NO_CHAIN
    verdict: int = UNDECIDED
    owner: object = None
    part: int = 0
    is_open: bool = False
    """Whether the hold of `owner` is out."""
    extra: Extra | None = None
    context: Context | None = None
    redeliveries: int = 0
    """How often the message was delivered again after a nack."""

    def begin(self) -> None:
        """A chain takes the message: it cannot settle before the chain returns."""
        self.chain = RUNNING

    def finish(self) -> bool:
        """The chain has returned without an error, which is an ack; returns False, and changes nothing, after a nack."""
        if self.verdict == NACKED:
            return False
        self.verdict = ACKED
        self.chain = RETURNED
        return True

    def leave_to_sink(self) -> None:
        """The chain has failed and the poison sink has the message: its record is the last word, whatever was said before."""
        self.forget_unsent()
        self.verdict = ACKED
        self.chain = RETURNED

    def ack(self) -> bool:
        """See `Message.ack`."""
        if self.verdict == NACKED:
            return False
        self.verdict = ACKED
        return True

    def nack(self) -> bool:
        """Say that it is to be delivered again; returns whether this was the first word on it."""
        if self.verdict != UNDECIDED:
            return False
        self.verdict = NACKED
        return True

    def restart(self) -> None:
        """Start over after a nack: undecided again, holds kept. For subscriptions and routers, before a redelivery."""
        self.verdict = UNDECIDED
        self.redeliveries += 1

    def hold(self, owner: object, part: int = 0, stay: Stay | None = None) -> bool:
        """Hold without a receipt, for the way of every message; returns whether the hold is new. See `Message.hold`.

        Args:
            owner: who holds.
            part: which of several things in one message.
            stay: the message's assignment.
        """
        if self.chain == RETURNED:
            raise StateError("hold() after the chain has returned: take the hold while the handler runs")
        if stay is not None and stay.is_closed:
            raise Cancelled
        if self.owner is None:
            self.owner = owner
            if part:  # a store to a field costs more than the question
                self.part = part
            self.is_open = True
            return True
        if self.owner is owner and self.part == part:
            return False
        return self._hold_further(owner, part)

    def _hold_further(self, owner: object, part: int) -> bool:
        with RARE:
            holds = self._make_extra().holds
            key = (id(owner), part)
            if key in holds:
                return False
            holds[key] = (owner, True)
            return True

    def release(self, owner: object, part: int = 0) -> None:
        """Release the hold of *owner*; see `Hold.release`. The caller wakes the assignment once per batch."""
        if self.owner is owner and self.part == part:
            self.is_open = False
        elif self.extra is not None:
            with RARE:
                self.extra.let_go(owner, part)

    def fail(self, error: BaseException, owner: object, part: int = 0) -> bool:
        """Fail the hold of *owner*; returns whether that is the first failure, of which the poison sink is to be told."""
        with RARE:
            if self.is_poisoned or not self._is_held_by(owner, part):
                return False
            extra = self._make_extra()
            is_first = not extra.failures
            # The failure is recorded before the hold is let go: a book that reads in between must not see a released hold.
            extra.failures.append(Failure(error, owner, part))
            if not self._let_go(extra, owner, part):
                extra.failures.pop()
                return False
        return is_first

    def poison(self, error: BaseException) -> bool:
        """The poison sink takes the message out of its chain: all holds are void. Returns False when a sink had it already."""
        with RARE:
            extra = self._make_extra()
            if extra.is_void:
                return False
            extra.failures.append(Failure(error))
            extra.is_void = True
            return True

    def poison_failed(self) -> bool:
        """The poison sink takes the message, of which a hold was failed; returns False when a sink had it already."""
        with RARE:
            extra = self._make_extra()
            is_new, extra.is_void = not extra.is_void, True
            return is_new

    def divide(self, owner: object, content: Divisible) -> None:
        """*owner* holds every part of the message: from now on its poison record holds only the parts that *owner* fails."""
        with RARE:
            self._make_extra().division = Division(owner, content)

    def keep_original(self, field: str, value: Any) -> None:
        """*value*, which is in *field* of the message, is about to be replaced; the first one counts."""
        with RARE:
            self._make_extra().originals.setdefault(field, value)

    def keep_unsent(self, produced: Sequence[Any]) -> None:
        """The handler is done, but *produced* is not published: a redelivery has only that left to do."""
        with RARE:
            self._make_extra().unsent = produced

    def forget_unsent(self) -> None:
        """Nobody publishes what is left of its output: it may refer to the message, which no collector would free."""
        if self.extra is not None:
            self.extra.unsent = ()

    def count_failure(self) -> int:
        """Count a failure that may end at the poison sink; returns how many there were. For the thread that runs its chain."""
        with RARE:
            extra = self._make_extra()
            extra.counted += 1
            return extra.counted

    def confirm(self) -> None:
        """The poison record is safe: whatever hold is still out, the message is settled."""
        with RARE:
            self._make_extra().is_confirmed = True

    def _make_extra(self) -> Extra:
        if self.extra is None:
            self.extra = Extra()
        return self.extra

    def _is_held_by(self, owner: object, part: int) -> bool:
        if self.owner is owner and self.part == part:
            return self.is_open
        return self.extra is not None and self.extra.is_held_by(owner, part)

    def _let_go(self, extra: Extra, owner: object, part: int) -> bool:
        """Close the hold of *owner*; returns whether it was open. A release by another thread may have come first."""
        if self.owner is owner and self.part == part:
            # No call between reading and writing: no other thread can come in between.
            was_open, self.is_open = self.is_open, False
            return was_open
        return extra.let_go(owner, part)

    @property
    def is_started(self) -> bool:
        """Whether anybody has begun to handle it: a router's chain, or without one who acked, nacked or held it."""
        return self.chain != NO_CHAIN or self.verdict != UNDECIDED or self.owner is not None

    @property
    def is_running(self) -> bool:
        """Whether its chain has not returned."""
        return self.chain == RUNNING

    @property
    def is_handled(self) -> bool:
        """Whether only holds or a poison record can be out."""
        return self.verdict == ACKED and self.chain != RUNNING

    @property
    def is_held(self) -> bool:
        """Whether a hold is still out."""
        return self.is_open or (self.extra is not None and self.extra.is_open)

    @property
    def owners(self) -> list[object]:
        """Whose holds are still out, once per hold."""
        first = [self.owner] if self.is_open else []
        return first if self.extra is None else first + self.extra.owners

    @property
    def is_poisoned(self) -> bool:
        """Whether the poison sink has it."""
        return self.extra is not None and self.extra.is_void

    @property
    def unsent(self) -> Sequence[Any]:
        """What its handler has produced and is not published yet: messages; empty for one whose handler is to be asked."""
        return () if self.extra is None else self.extra.unsent

    @property
    def originals(self) -> Mapping[str, Any]:
        """Those of the message's fields, by name, that were delivered and replaced since."""
        return {} if self.extra is None else self.extra.originals

    @property
    def division(self) -> Division | None:
        """Who has taken it apart; `None` for a message that is one thing."""
        return None if self.extra is None else self.extra.division

    @property
    def failures(self) -> list[Failure]:
        """What went wrong, first failure first."""
        return [] if self.extra is None else self.extra.failures

    @property
    def is_settled(self) -> bool:
        """Whether the last word is spoken, so that the offset may be committed."""
        if not self.is_handled:
            return False
        is_open = self.is_open  # read before `extra`: `fail` writes in the opposite order
        if self.extra is None:
            return not is_open
        return self.extra.is_settled and (self.extra.is_confirmed or not is_open)
