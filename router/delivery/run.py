"""Messages of one partition that follow each other and share one fate, until somebody looks at one of them.

A run settles as a message does, by one `Delivery`, for as long as nobody tells its messages apart: a handler that takes chunks
takes it whole, a worker holds and releases it whole. Whoever has it may cut it in two, where a batch ends, or divide it into
its messages, where one of them goes another way: then each piece has a delivery of its own, which begins as that of the run
stood, and the offset book puts the pieces into the place of the run.

One thread has a run at a time, and only that one cuts or divides it; the thread of the book may look at it meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .context import Context
from .message import Assigned, Message
from .settlement import DIVIDED, UNDECIDED, Delivery


class MessageRun(msgspec.Struct, gc=False, eq=False):
    """A run of messages whose offsets follow each other. A transport that knows more than their payloads has its own kind.

    Args:
        payloads: of its messages, at least one.
        assignment: the one that they came by.
        first, offset: the offsets of the first and the last of them.

    Example:
        >>> run = MessageRun([b"a", b"b", b"c"], Assignment("events", 0), first=7, offset=9)
        >>> head, tail = run.cut(2)
        >>> head.payloads, [message.offset for message in tail.divide()]
        ([b'a', b'b'], [9])
    """

    payloads: list[bytes]
    assignment: Assigned
    first: int
    offset: int
    delivery: Delivery = msgspec.field(default_factory=Delivery)
    """What has become of all of them, while they are one."""
    pieces: Sequence[Message | MessageRun] = ()
    """What it was cut or divided into."""

    @property
    def more(self) -> int:
        """How many messages it has beyond the first; see `Message.more`."""
        return len(self.payloads) - 1

    @property
    def is_void(self) -> bool:
        """Whether nobody need finish with it: its assignment has closed."""
        return self.assignment.is_closed

    @property
    def context(self) -> Context:
        """The context of all of its messages, made anew."""
        return Context(self.assignment)

    def divide(self) -> Sequence[Message]:
        """Return its messages, which have taken its place. For a run that is whole."""
        messages = self.make_messages()
        for message in messages:
            message.delivery = self._delivery_of_piece()
        self._give_way_to(messages)
        return messages

    def cut(self, count: int) -> tuple[MessageRun, MessageRun]:
        """Return the run of its first *count* messages, and that of the others. For a run that is whole, and longer."""
        head, tail = self.make_parts(count)
        head.delivery, tail.delivery = self._delivery_of_piece(), self._delivery_of_piece()
        self._give_way_to((head, tail))
        return head, tail

    def make_messages(self) -> list[Message]:
        """Return a new message for each payload. For `divide`."""
        assignment = self.assignment
        topic, partition = assignment.topic, assignment.partition
        return [
            Message(payload, topic=topic, partition=partition, offset=self.first + place, assignment=assignment)
            for place, payload in enumerate(self.payloads)
        ]

    def make_parts(self, count: int) -> tuple[MessageRun, MessageRun]:
        """Return two new runs, of the first *count* messages and of the others. For `cut`."""
        middle, assignment = self.first + count, self.assignment
        head = MessageRun(self.payloads[:count], assignment, self.first, middle - 1)
        return head, MessageRun(self.payloads[count:], assignment, middle, self.offset)

    def _delivery_of_piece(self) -> Delivery:
        whole = self.delivery
        return Delivery(
            chain=whole.chain, verdict=whole.verdict, owner=whole.owner, part=whole.part, is_open=whole.is_open
        )

    def _give_way_to(self, pieces: Sequence[Message | MessageRun]) -> None:
        # In this order: a book that looks meanwhile sees a run that has not settled, or all of its pieces.
        self.pieces = pieces
        self.delivery.verdict = UNDECIDED
        self.delivery.chain = DIVIDED


Entry = Message | MessageRun
"""What stands in an offset book, and is delivered to who takes runs."""


def first_offset(entry: Entry) -> int:
    """Return the offset of the first message of *entry*."""
    return entry.first if isinstance(entry, MessageRun) else entry.offset


def messages_of(entry: Entry) -> Sequence[Message]:
    """Return the messages of *entry*; a run gives way to them."""
    return entry.divide() if isinstance(entry, MessageRun) else (entry,)
