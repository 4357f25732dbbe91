"""The message: what the broker delivered, and the promises made about it.

Two promises are kept apart. *Ack* tells the router that the message is handled and more may come. *Commit* tells the
broker that its offset is never needed again; it follows only when the chain has returned, the message is acked and every
hold on it is released. What was promised lies in its `Delivery`; the rules are in `settlement`.

A message knows of its surroundings only what the protocols here say; `assignment` and `route` are what fits them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

import msgspec

from ..errors import StateError
from .content import FIELDS, Content, delivered_content, new_uuid, put_back
from .context import Context, Stay
from .counting import Counting
from .failure import Failure
from .hold import Hold
from .settlement import ACKED, NACKED, NO_CHAIN, RETURNED, Delivery


class PoisonSink(Counting, Protocol):
    """Takes messages that cannot be handled, returns at once, and settles them when their record is safe."""

    @property
    def is_blocked(self) -> bool:
        """Whether records cannot be written right now, or not as fast as they come."""
        ...

    def take(self, message: Message, error: BaseException) -> None:
        """Take over *message* while its chain runs; whatever else holds it becomes void."""
        ...

    def take_failed(self, message: Message) -> None:
        """Take over a message of which an owner failed its hold; waits until its other holds are in."""
        ...


class Destination(Counting, Protocol):
    """The handler that a message goes to."""

    @property
    def handler(self) -> str:
        """Its name."""
        ...

    @property
    def topic(self) -> str:
        """What it is subscribed to."""
        ...

    @property
    def publish_topic(self) -> str | None:
        """Where what it returns is published; `None` where it only consumes."""
        ...

    @property
    def subscriber(self) -> str:
        """What kind of subscriber delivers to it."""
        ...

    @property
    def sink(self) -> PoisonSink | None:
        """Where it sets messages aside."""
        ...

    def report_failure(self, message: Message) -> None:
        """Take note that a hold on *message* was failed."""
        ...

    def tell_mistake(self, error: BaseException) -> None:
        """Tell of *error*, where it is a mistake in the handler's own code that was not told yet."""
        ...


class Assigned(Stay, Protocol):
    """The assignment that a message came by."""

    topic: str
    partition: int
    epoch: int

    def __hash__(self) -> int:
        """Compared by identity: each stay is another one."""
        ...

    @property
    def route(self) -> Destination | None:
        """Where its messages go; `None` outside a router."""
        ...

    @property
    def wake(self) -> Callable[[], None]:
        """Tells the subscription that something was settled."""
        ...

    def redeliver(self, message: Message) -> None:
        """Ask the subscription to deliver *message* again."""
        ...


class _Payload(msgspec.Struct, gc=False, eq=False):
    payload: bytes


class Message(_Payload, gc=False, eq=False, kw_only=True):
    """One message: payload, uuid, metadata and key; when it came from a broker also where it stood there.

    Ack, nack and holds may be called from any thread. A message that belongs to no subscription may be acked and held
    without effect. Not tracked by the garbage collector (that alone cost a third of the whole run): nothing it refers to
    refers back to it once it is settled.

    Example:
        >>> message = Message(b'{"id": "1"}', key=b"acme", metadata={"source": "import"})
        >>> message.payload, message.key
        (b'{"id": "1"}', b'acme')
        >>> message.ack(), message.is_settled
        (True, True)
    """

    uuid: str = msgspec.field(default_factory=new_uuid)
    metadata: dict[str, str] = {}
    key: bytes | None = None
    topic: str = ""
    partition: int = -1
    offset: int = -1
    timestamp: float | None = None
    """When the broker or producer stamped it, in seconds since 1970 (UTC), or `None`."""
    assignment: Assigned | None = None
    delivery: Delivery = msgspec.field(default_factory=Delivery)
    """What has become of it; for subscriptions, routers and workers."""
    more: ClassVar[int] = 0  # see `MessageRun.more`
    unread: ClassVar[object] = None
    """What uuid, key and metadata are still to be read from, where a transport reads them only when somebody asks."""

    @property
    def context(self) -> Context:
        """Values, deadline and cancellation of this delivery."""
        context = self.delivery.context
        if context is None:
            context = self.delivery.context = Context(self.assignment)
        return context

    def ack(self) -> bool:
        """Say that the message is handled. Returns False when it was nacked before; repeating it changes nothing."""
        if not self.delivery.ack():
            return False
        if self.delivery.chain == NO_CHAIN and self.assignment is not None:
            self.assignment.wake()
        return True

    def nack(self) -> bool:
        """Ask for the message to be delivered again. Returns False when it was acked before."""
        if not self.delivery.nack():
            return self.is_nacked
        if self.delivery.chain == NO_CHAIN and self.assignment is not None:
            self.assignment.redeliver(self._delivered)
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
        delivery, assignment = self.delivery, self.assignment
        if delivery.owner is None and delivery.chain != RETURNED and (assignment is None or not assignment.is_closed):
            delivery.owner = owner  # `Delivery.hold`, written out
            delivery.is_open = True
            if part:
                delivery.part = part
        else:
            delivery.hold(owner, part, assignment)
        return Hold(self, owner, part)

    def fail(self, error: BaseException, owner: object, part: int = 0) -> None:
        """Fail the hold of *owner*; see `Hold.fail`."""
        if self.is_void or not self.delivery.fail(error, owner, part):
            return
        # Told once: the sink waits for the other holds by itself.
        if self.assignment is not None and self.assignment.route is not None:
            self.assignment.route.report_failure(self._delivered)

    @property
    def original(self) -> bytes:
        """The payload that was delivered, whatever a middleware has put into its place since."""
        payload: bytes = self.delivery.originals.get("payload", self.payload)
        return payload

    @property
    def delivered(self) -> Content:
        """The content that was delivered, whatever was assigned since; in place changes of the metadata are seen by some."""
        return delivered_content(self, self.delivery.originals)

    def restore(self) -> None:
        """Start over with what was delivered. For the router, before a redelivery."""
        put_back(self, self.delivered)

    def __setattr__(self, name: str, value: object) -> None:
        # Here, where nearly no message comes by. What is replaced before a chain begins, as by a decorator, is what is delivered.
        if name in FIELDS and self.delivery.chain != NO_CHAIN and self._delivered is self:
            self.delivery.keep_original(name, getattr(self, name))
        super().__setattr__(name, value)

    @property
    def redeliveries(self) -> int:
        """How often it was delivered again after a nack."""
        return self.delivery.redeliveries

    @property
    def is_acked(self) -> bool:
        """Whether the last word was an ack."""
        return self.delivery.verdict == ACKED

    @property
    def is_nacked(self) -> bool:
        """Whether the last word was a nack."""
        return self.delivery.verdict == NACKED

    @property
    def is_held(self) -> bool:
        """Whether a hold is still out."""
        return self.delivery.is_held

    @property
    def is_void(self) -> bool:
        """Whether nobody need finish with it: the poison sink has it, or its assignment has closed."""
        return self.delivery.is_poisoned or (self.assignment is not None and self.assignment.is_closed)

    @property
    def is_settled(self) -> bool:
        """Whether the last word on this message is spoken, so that its offset may be committed."""
        return self.delivery.is_settled

    @property
    def failures(self) -> list[Failure]:
        """What went wrong with it, first failure first; empty for a message that was never refused."""
        return self.delivery.failures

    @property
    def _delivered(self) -> Message:
        """What the subscription knows and the poison sink records: of a copy, its original."""
        return self

    def copy(self) -> Message:
        """Return a message to change and pass on: the same content (metadata copied), and this one's delivery, ack and holds."""
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
            delivery=self.delivery,
            _origin=self._delivered,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self.uuid == other.uuid and self.payload == other.payload and self.metadata == other.metadata

    def __ne__(self, other: object) -> bool:
        # Spelled out: the struct's own compares by identity.
        return not self == other

    __hash__ = None  # type: ignore[assignment] # equal messages are many, and their fields change

    def __repr__(self) -> str:
        place = f", {self.topic}[{self.partition}]@{self.offset}" if self.topic else ""
        payload: object = self.payload  # a middleware may have put anything in its place
        content = f"{len(payload)} bytes" if isinstance(payload, bytes) else f"a {type(payload).__name__}"
        return f"<Message{self.uuid and f' {self.uuid}'}, {content}{place}>"


class _Copy(Message, gc=False, eq=False, kw_only=True):
    _origin: Message

    @property
    def _delivered(self) -> Message:
        return self._origin

    def hold(self, owner: object, part: int = 0) -> Hold:
        return self._origin.hold(owner, part)
