"""Messages that go on without their partition: committed already, and still to be done something about."""

from __future__ import annotations

from .context import Scope
from .message import Assigned, Destination, Message
from .run import MessageRun
from .settlement import Delivery


class OutlivingStay:
    """The assignment of such a message: has its handler, and never closes; implements `Assigned`."""

    __slots__ = ("_assignment", "epoch", "partition", "topic")

    is_closed = False

    def __init__(self, assignment: Assigned) -> None:
        self._assignment = assignment
        self.topic = assignment.topic
        self.partition = assignment.partition
        self.epoch = assignment.epoch

    @property
    def scope(self) -> Scope:
        """Of the same router."""
        return self._assignment.scope

    @property
    def route(self) -> Destination | None:
        """To the same handler, and to its poison sink."""
        return self._assignment.route

    @property
    def is_closing(self) -> bool:
        """Whether the partition is going: for whoever still waits in its chain."""
        return self._assignment.is_closing

    @property
    def is_stopped(self) -> bool:
        """Of the partition, which is not to be fetched from meanwhile."""
        return self._assignment.is_stopped

    @is_stopped.setter
    def is_stopped(self, is_stopped: bool) -> None:
        self._assignment.is_stopped = is_stopped

    def wake(self) -> None:
        """Nobody waits for what settles here."""

    def redeliver(self, message: Message) -> None:
        """It is never delivered again."""


def outliving(message: Message) -> Message:
    """Return a message with the content of *message* and a delivery of its own: nothing that becomes of it commits anything.

    A hold of it may be failed: it then goes to the poison sink of its handler like any other.
    """
    assignment = None if message.assignment is None else OutlivingStay(message.assignment)
    copy = made_again(message, assignment)
    for field, value in message.delivery.originals.items():
        copy.delivery.keep_original(field, value)
    return copy


def made_again(message: Message, assignment: Assigned | None) -> Message:
    """Return a message with the content of *message*, of which nothing has become yet, by *assignment*."""
    return Message(
        message.payload,
        uuid=message.uuid,
        metadata=message.metadata,
        key=message.key,
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=message.timestamp,
        assignment=assignment,
        delivery=Delivery(redeliveries=message.redeliveries),
    )


def outliving_run(run: MessageRun) -> MessageRun:
    """Return the same of a whole *run*: its messages are made, and read, only where somebody looks at one."""
    return run.make_again(OutlivingStay(run.assignment))
