"""Messages of one partition that follow each other and share one fate, until somebody looks at one of them.

A run settles as a message does, by one `Delivery`, for as long as nobody tells its messages apart: a handler that takes chunks
takes it whole, a worker holds and releases it whole. Whoever has it may cut it in two, where a batch ends, or divide it into
its messages, where one of them goes another way: then each piece has a delivery of its own, which begins as that of the run
stood, and the offset book puts the pieces into the place of the run.

One owner holds a run at a time, and only its thread cuts or divides it. That may happen while the handler that gave it the run
has not returned: `finish` and giving way exclude each other. The thread of the book looks at all of this without a lock.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from ..errors import StateError
from .context import Context
from .message import Assigned, Message
from .settlement import DIVIDED, NO_CHAIN, UNDECIDED, Delivery

CHUNK_MESSAGES = 2000
"""Messages that travel together at most, from a poll to the handler. What a chunk costs by itself is less than 20 ns a message of
it; a chunk is done in a few ms, and its 3 MB of events as usual are still in the processor's cache when they are let go."""
_GIVING_WAY = threading.Lock()
"""Taken once or twice for a run, so one is enough for all."""


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
    size_bytes: int = -1
    """Bytes of its payloads."""

    def __post_init__(self) -> None:
        if self.size_bytes < 0:
            self.size_bytes = sum(map(len, self.payloads))

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

    def hold(self, owner: object) -> bool:
        """Keep all of it from being committed until *owner* has released it; returns whether the hold is new.

        Raises:
            StateError: somebody else holds it, or the handler has returned.
            Cancelled: the partition is no longer ours.
        """
        if self.delivery.owner is not None and self.delivery.owner is not owner:
            raise StateError(
                "a run is held by one owner: return False from take_run where several are to hold its messages"
            )
        return self.delivery.hold(owner, 0, self.assignment)

    def finish(self) -> None:
        """The handler has taken it: so it counts as acked, whole or in the pieces that it has become meanwhile."""
        with _GIVING_WAY:
            for piece in self._last_pieces():
                piece.delivery.finish()

    def refuse(self) -> bool:
        """The handler has not taken it: nobody has begun with it. Returns False, and changes nothing, if it was held or acked."""
        with _GIVING_WAY:
            pieces = self._last_pieces()
            if any(piece.delivery.owner is not None or piece.delivery.verdict != UNDECIDED for piece in pieces):
                return False
            for piece in pieces:
                piece.delivery.chain = NO_CHAIN
            return True

    def _last_pieces(self) -> list[Entry]:
        """Return what stands for its messages now, in order: itself, or what it has become. Under `_GIVING_WAY`."""
        found: list[Entry] = []
        waiting: list[Entry] = [self]
        while waiting:  # no call in a call: a batch size of one makes pieces of pieces, a thousand deep
            entry = waiting.pop()
            if isinstance(entry, MessageRun) and entry.delivery.chain == DIVIDED:
                waiting += reversed(entry.pieces)
            else:
                found.append(entry)
        return found

    def divide(self) -> Sequence[Message]:
        """Return its messages, which have taken its place; of one that gave way already, those of its pieces."""
        if self.delivery.chain == DIVIDED:
            return [message for piece in self._last_pieces() for message in messages_of(piece)]
        messages = self.make_messages()
        self._give_way_to(messages)
        return messages

    def cut(self, count: int) -> tuple[MessageRun, MessageRun]:
        """Return the run of its first *count* messages, and that of the others. For a run that is whole, and longer."""
        parts = self.make_parts(count)
        self._give_way_to(parts)
        return parts

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

    def make_again(self, assignment: Assigned) -> MessageRun:
        """Return a new run of the same messages, of which nothing has become yet, by *assignment*."""
        return MessageRun(self.payloads, assignment, self.first, self.offset, size_bytes=self.size_bytes)

    def _give_way_to(self, pieces: Sequence[Message | MessageRun]) -> None:
        whole = self.delivery
        with _GIVING_WAY:
            for piece in pieces:
                state = piece.delivery
                state.chain, state.verdict = whole.chain, whole.verdict
                state.owner, state.part, state.is_open = whole.owner, whole.part, whole.is_open
            # In this order: a book that looks meanwhile sees a run that has not settled, or all of its pieces.
            self.pieces = pieces
            whole.verdict = UNDECIDED
            whole.chain = DIVIDED


Entry = Message | MessageRun
"""What stands in an offset book, and is delivered to who takes runs."""


def first_offset(entry: Entry) -> int:
    """Return the offset of the first message of *entry*."""
    return entry.first if isinstance(entry, MessageRun) else entry.offset


def messages_of(entry: Entry) -> Sequence[Message]:
    """Return the messages of *entry*; a run gives way to them."""
    return entry.divide() if isinstance(entry, MessageRun) else (entry,)
