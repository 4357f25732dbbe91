"""The message: what the broker delivered, and the promises made about it.

Two promises are kept apart. *Ack* tells the router that the message is handled and more may come. *Commit* tells the
broker that its offset is never needed again; it follows only when the chain has returned, the message is acked and every
hold on it is released. The flags behind this are explained in `settlement`.
"""

from __future__ import annotations

import uuid as uuids

import msgspec

from ..errors import Cancelled, StateError
from .assignment import Assignment
from .context import Context
from .hold import Hold
from .settlement import ACKED, NACKED, NO_CHAIN, RARE, RETURNED, RUNNING, UNDECIDED, Extra, Failure


def new_uuid() -> str:
    """Return a random (version 4) UUID as text, the default of `Message.uuid`."""
    return str(uuids.uuid4())


class _Payload(msgspec.Struct, gc=False, eq=False):
    payload: bytes


class Message(_Payload, gc=False, eq=False, kw_only=True):
    """One message: payload, uuid, metadata and key; when it came from a broker also where it stood there.

    Ack, nack and holds may be called from any thread. A message that belongs to no subscription may be acked and held
    without effect. Not tracked by the garbage collector (that alone cost a third of the whole run): nothing it refers to
    refers back to it once it is settled.
    """

    uuid: str = msgspec.field(default_factory=new_uuid)
    metadata: dict[str, str] = {}
    key: bytes | None = None
    topic: str = ""
    partition: int = -1
    offset: int = -1
    timestamp: float | None = None
    """When the broker or producer stamped it, in seconds since 1970 (UTC), or `None`."""
    assignment: Assignment | None = None
    redeliveries: int = 0
    """How often it was delivered again after a nack."""

    _chain: int = NO_CHAIN
    _verdict: int = UNDECIDED
    _owner: object = None
    _part: int = 0
    _open: bool = False
    _extra: Extra | None = None
    _context: Context | None = None

    @property
    def context(self) -> Context:
        """Values, deadline and cancellation of this delivery."""
        if self._context is None:
            self._context = Context(self.assignment)
        return self._context

    def ack(self) -> bool:
        """Say that the message is handled. Returns False when it was nacked before; repeating it changes nothing."""
        if self._verdict == NACKED:
            return False
        self._verdict = ACKED
        if self._chain == NO_CHAIN and self.assignment is not None:
            self.assignment.wake()
        return True

    def nack(self) -> bool:
        """Ask for the message to be delivered again. Returns False when it was acked before."""
        if self._verdict != UNDECIDED:
            return self._verdict == NACKED
        self._verdict = NACKED
        if self._chain == NO_CHAIN and self.assignment is not None:
            self.assignment.redeliver(self)
        return True

    def hold(self, owner: object, part: int = 0) -> Hold:
        """Keep the message from being committed until *owner* releases its hold.

        Idempotent per owner, part and delivery: a retry that holds again gets an equal hold.

        Args:
            owner: who holds; compared by identity, so anything but `None`.
            part: which of several things in one message is held, such as an event's place in a bulk message.

        Raises:
            StateError: the chain has returned (a hold must be taken while it runs), or *owner* is `None`.
            Cancelled: the message's partition is no longer ours.
        """
        if owner is None:
            raise StateError("hold() needs an owner: a hold of nobody could not be told from no hold")
        self.take(owner, part)
        return Hold(self, owner, part)

    def take(self, owner: object, part: int = 0) -> bool:
        """Hold without a receipt, for the way of every message; returns whether the hold is new. See `hold`."""
        if self._chain == RETURNED:
            raise StateError("hold() after the chain has returned: take the hold while the handler runs")
        if self.assignment is not None and self.assignment.is_closed:
            raise Cancelled
        if self._owner is None:
            self._owner = owner
            self._part = part
            self._open = True
            return True
        if self._owner is owner and self._part == part:
            return False
        return self._take_further(owner, part)

    def _take_further(self, owner: object, part: int) -> bool:
        with RARE:
            holds = self._make_extra().holds
            key = (id(owner), part)
            if key in holds:
                return False
            holds[key] = (owner, True)
            return True

    def release(self, owner: object, part: int = 0) -> None:
        """Release the hold of *owner*; see `Hold.release`. The caller wakes the assignment once per batch."""
        if self._owner is owner and self._part == part:
            self._open = False
        elif self._extra is not None:
            with RARE:
                self._let_go_further(self._extra, owner, part)

    def fail(self, error: BaseException, owner: object, part: int = 0) -> None:
        """Fail the hold of *owner*; see `Hold.fail`."""
        with RARE:
            if self.is_void or not self._is_held_by(owner, part):
                return
            extra = self._make_extra()
            is_first = not extra.failures
            # The failure is recorded before the hold is let go: a book that reads in between must not see a released hold.
            extra.failures.append(Failure(error, owner, part))
            if not self._let_go(extra, owner, part):
                extra.failures.pop()
                return
        # Told once: the sink waits for the other holds by itself.
        if is_first and self.assignment is not None and self.assignment.route is not None:
            self.assignment.route.report_failure(self)

    def _is_held_by(self, owner: object, part: int) -> bool:
        if self._owner is owner and self._part == part:
            return self._open
        return self._extra is not None and self._extra.holds.get((id(owner), part), (None, False))[1]

    def _let_go(self, extra: Extra, owner: object, part: int) -> bool:
        """Close the hold of *owner*; returns whether it was open. A release by another thread may have come first."""
        if self._owner is owner and self._part == part:
            # No call between reading and writing: no other thread can come in between.
            was_open, self._open = self._open, False
            return was_open
        return self._let_go_further(extra, owner, part)

    def _let_go_further(self, extra: Extra, owner: object, part: int) -> bool:
        key = (id(owner), part)
        was_open = extra.holds.get(key, (None, False))[1]
        if was_open:
            extra.holds[key] = (owner, False)
        return was_open

    def _make_extra(self) -> Extra:
        if self._extra is None:
            self._extra = Extra()
        return self._extra

    def restart(self) -> None:
        """Start over after a nack: undecided again, holds kept. For subscriptions and routers, before a redelivery."""
        self._verdict = UNDECIDED
        self.redeliveries += 1

    @property
    def is_started(self) -> bool:
        """Whether anybody has begun to handle it: a router's chain, or without one who acked, nacked or held it."""
        return self._chain != NO_CHAIN or self._verdict != UNDECIDED or self._owner is not None

    @property
    def is_acked(self) -> bool:
        """Whether the last word was an ack."""
        return self._verdict == ACKED

    @property
    def is_nacked(self) -> bool:
        """Whether the last word was a nack."""
        return self._verdict == NACKED

    @property
    def is_held(self) -> bool:
        """Whether a hold is still out."""
        return self._open or (self._extra is not None and self._extra.is_open)

    @property
    def owners(self) -> list[object]:
        """Whose holds are still out, once per hold."""
        first = [self._owner] if self._open else []
        return first if self._extra is None else first + self._extra.owners

    @property
    def is_void(self) -> bool:
        """Whether nobody need finish with it: the poison sink has it, or its assignment has closed."""
        if self._extra is not None and self._extra.is_void:
            return True
        return self.assignment is not None and self.assignment.is_closed

    @property
    def is_settled(self) -> bool:
        """Whether the last word on this message is spoken, so that its offset may be committed."""
        if self._chain == RUNNING or self._verdict != ACKED:
            return False
        is_open = self._open  # read before `_extra`: `fail` writes in the opposite order
        if self._extra is None:
            return not is_open
        return self._extra.is_settled and (self._extra.is_confirmed or not is_open)

    @property
    def failures(self) -> list[Failure]:
        """What went wrong with it, first failure first; empty for a message that was never refused."""
        return [] if self._extra is None else self._extra.failures

    def copy(self) -> Message:
        """Return a message with the same content (metadata copied) that shares this one's delivery: ack, nack and holds."""
        return _Copy(
            self.payload,
            uuid=self.uuid,
            metadata=dict(self.metadata),
            key=self.key,
            topic=self.topic,
            partition=self.partition,
            offset=self.offset,
            timestamp=self.timestamp,
            assignment=self.assignment,
            redeliveries=self.redeliveries,
            _origin=self,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self.uuid == other.uuid and self.payload == other.payload and self.metadata == other.metadata

    def __ne__(self, other: object) -> bool:
        # Spelled out: the struct's own compares by identity.
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        place = f", {self.topic}[{self.partition}]@{self.offset}" if self.topic else ""
        return f"<Message {self.uuid}, {len(self.payload)} bytes{place}>"


class _Copy(Message, gc=False, eq=False, kw_only=True):
    _origin: Message

    @property
    def context(self) -> Context:
        return self._origin.context

    def ack(self) -> bool:
        return self._origin.ack()

    def nack(self) -> bool:
        return self._origin.nack()

    def take(self, owner: object, part: int = 0) -> bool:
        return self._origin.take(owner, part)

    def hold(self, owner: object, part: int = 0) -> Hold:
        return self._origin.hold(owner, part)

    def release(self, owner: object, part: int = 0) -> None:
        self._origin.release(owner, part)

    def _make_extra(self) -> Extra:
        return self._origin._make_extra()

    def fail(self, error: BaseException, owner: object, part: int = 0) -> None:
        self._origin.fail(error, owner, part)

    @property
    def is_started(self) -> bool:
        return self._origin.is_started

    @property
    def is_acked(self) -> bool:
        return self._origin.is_acked

    @property
    def is_nacked(self) -> bool:
        return self._origin.is_nacked

    @property
    def is_held(self) -> bool:
        return self._origin.is_held

    @property
    def owners(self) -> list[object]:
        return self._origin.owners

    @property
    def is_void(self) -> bool:
        return self._origin.is_void

    @property
    def is_settled(self) -> bool:
        return self._origin.is_settled

    @property
    def failures(self) -> list[Failure]:
        return self._origin.failures
