"""One subscriber's view of an in-memory topic.

Publishers put messages into it, one thread receives them; everything happens under one condition, so the offset books need no
thread of their own. Settlement is noticed at the next `receive` or when a worker wakes the assignment.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from ..clock import Clock
from ..delivery.assignment import Assignment
from ..delivery.message import Message
from ..delivery.offset_book import OffsetBook
from ..delivery.parking import Parking
from ..delivery.standstill import StandstillWatch, keeper_of
from ..errors import SubscriptionClosed, TransientError
from ..protocols import AssignmentListener
from .config import InMemoryConfig
from .placed import Placed

NOTICE_SECONDS = 0.01
"""How soon a publisher that waits for the ack looks again: an ack inside a router tells nobody."""


class InMemorySubscription:
    """Delivers the messages of one topic, in order per partition, each until it is settled."""

    def __init__(
        self,
        topic: str,
        config: InMemoryConfig,
        clock: Clock,
        listener: AssignmentListener | None,
        forget: Callable[[InMemorySubscription], None],
    ) -> None:
        self._config = config
        self._clock = clock
        self._forget = forget
        self._condition = threading.Condition()
        self._assignments = [
            Assignment(topic, partition, wake=self._wake, redeliver=self._redeliver)
            for partition in range(config.partitions)
        ]
        self._books = [OffsetBook(each, max_pending=config.max_pending) for each in self._assignments]
        self._queues: list[deque[Message]] = [deque() for _ in self._assignments]
        self._queued = 0
        self._turn = 0
        self._standstill = StandstillWatch(config.warn_after)
        self._parking = Parking()
        self._due: deque[Message] = deque()
        self._is_closed = False
        if listener is not None:
            listener.assigned(self._assignments)

    def offer(self, placed: Sequence[Placed], *, wait: bool = True) -> list[Message]:
        """Take in messages of our own for what was *placed*, waiting for room where *wait* is set; returns them."""
        own = [each.delivered_by(self._assignments[each.partition]) for each in placed]
        with self._condition:
            for message in own:
                while wait and self._queued >= self._config.buffer_messages and not self._is_closed:
                    self._condition.wait()
                if self._is_closed:
                    return []
                queue = self._queues[message.partition]
                queue.append(message)
                self._queued += 1
                # A receiver that waits although a queue has something can do nothing with that queue.
                if len(queue) == 1:
                    self._condition.notify_all()
        return own

    def wait_settled(self, messages: Sequence[Message]) -> None:
        """Wait until *messages*, as returned by `offer`, are settled or the subscription has closed.

        Raises:
            TransientError: it waited for one of them for `ack_timeout` seconds.
        """
        limit = self._config.ack_timeout
        with self._condition:
            for message in messages:
                give_up_at = self._clock.now() + limit
                while not (self._is_closed or message.is_settled):
                    if self._clock.now() >= give_up_at:
                        reason = f"{message!r} is published, and not settled after {limit:g} s: {keeper_of(message)}"
                        raise TransientError(f"{reason} (InMemoryConfig.ack_timeout)")
                    self._condition.wait(NOTICE_SECONDS)

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Return the next chunk, all of one partition; see `Subscription.receive`."""
        deadline = self._clock.now() + timeout
        with self._condition:
            while True:
                self._advance()
                now = self._clock.now()
                self._standstill.look(self._books, now)
                chunk = self._next_nacked(now, max_messages) or self._next_chunk(max_messages)
                if chunk:
                    return chunk
                if self._is_closed:
                    raise SubscriptionClosed
                if now >= deadline:
                    return []
                due = self._parking.next_due()
                self._clock.wait_until(self._condition, deadline if due is None else min(due, deadline))

    def _next_nacked(self, now: float, max_messages: int) -> list[Message]:
        due = self._due
        if self._parking:
            due.extend(sorted(self._parking.take_due(now), key=_place))
        if not due:
            return []
        assignment = due[0].assignment
        chunk: list[Message] = []
        while due and due[0].assignment is assignment and len(chunk) < max_messages:
            message = due.popleft()
            message.delivery.restart()
            chunk.append(message)
        return chunk

    def _next_chunk(self, max_messages: int) -> list[Message]:
        """Take up to *max_messages* from the next partition, in turn, that has some and may deliver them."""
        count = len(self._queues)
        for step in range(count):
            partition = (self._turn + step) % count
            queue, book = self._queues[partition], self._books[partition]
            if not queue or book.is_full or self._parking.holds(self._assignments[partition]):
                continue
            self._turn = partition + 1
            chunk = [queue.popleft() for _ in range(min(max_messages, len(queue), book.room))]
            book.extend(chunk)
            was_full = self._queued >= self._config.buffer_messages
            self._queued -= len(chunk)
            if was_full:
                self._condition.notify_all()
            return chunk
        return []

    def _advance(self) -> None:
        for book in self._books:
            book.advance()

    def _wake(self) -> None:
        with self._condition:
            self._advance()
            self._condition.notify_all()

    def _redeliver(self, message: Message) -> None:
        with self._condition:
            if message.assignment is None or message.assignment.is_closed:
                return
            if self._parking.holds(message.assignment):
                self._parking.queue(message.assignment, [message])
            else:
                due = self._clock.now() + self._config.nack_resend_delay
                self._parking.park(message.assignment, message, due)
            self._condition.notify_all()

    @property
    def committed(self) -> dict[int, int]:
        """The next offset to deliver after a restart, per partition, were there one: what has settled without a gap."""
        with self._condition:
            self._advance()
            return {book.assignment.partition: book.next_offset or 0 for book in self._books}

    @property
    def books(self) -> list[OffsetBook]:
        """See `ShowsBooks`."""
        with self._condition:
            self._advance()
            return list(self._books)

    @property
    def unread(self) -> int:
        """Messages published to it that were not received."""
        return self._queued

    @property
    def pending(self) -> int:
        """Messages published to it that are not settled."""
        with self._condition:
            self._advance()
            return self._queued + sum(book.pending for book in self._books)

    def close(self) -> None:
        """Commit what is settled and end; what was not received can still be received, what is not settled is forgotten."""
        with self._condition:
            self._advance()
            self._is_closed = True
            for assignment in self._assignments:
                assignment.close()
            self._parking.discard(self._assignments)
            self._due.clear()
            self._condition.notify_all()
        self._forget(self)


def _place(message: Message) -> tuple[int, int]:
    return message.partition, message.offset
