"""A broker that a test drives: it delivers what the test says, and takes partitions away when the test says so.

The thread of the test plays the poll thread. A revoke does here what every transport does, in the same order: mark closing, tell
the listener, wait for the offset books, commit, close.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..clock import MONOTONIC
from ..delivery.assignment import Assignment
from ..delivery.content import new_uuid
from ..delivery.message import Message
from ..delivery.offset_book import OffsetBook
from ..delivery.revoke_wait import RevokeWait
from ..delivery.run import Entry, messages_of
from ..errors import SubscriptionClosed
from ..protocols import AssignmentListener

LOOK_AGAIN_SECONDS = 0.002
"""Between looks at the books: a chain that returns tells nobody."""


def ignore(_event: str) -> None:
    """Record nothing: the default of every fake's `record`."""


@dataclass
class FakePartition:
    """What the broker keeps of one partition, whoever reads it."""

    records: list[Message] = field(default_factory=list)
    """What was delivered to it; the offset is the place in the list."""
    committed: int = 0
    """The next offset to deliver to whoever gets the partition."""


class FakeSubscription:
    """One member's view of a topic; implements `Subscription`."""

    def __init__(
        self,
        topic: str,
        partitions: dict[int, FakePartition],
        listener: AssignmentListener | None,
        record: Callable[[str], None] = ignore,
    ) -> None:
        self.topic = topic
        self.assignments: dict[int, Assignment] = {}
        """What it has, by partition."""
        self.commits: list[tuple[Assignment, int]] = []
        """Every commit that moved something: the assignment and the next offset."""
        self.messages: list[Message] = []
        """Every message that it was given, in order."""
        self._partitions = partitions
        self._listener = listener
        self._record = record
        self._condition = threading.Condition()
        self._books: dict[int, OffsetBook] = {}
        self._buffer: deque[Entry] = deque()
        self._epoch = 0
        self._error: BaseException | None = None
        self._readers = 0
        self._is_closed = False

    def assign(self, *partitions: int) -> list[Assignment]:
        """Give it *partitions*, from their committed offsets on; returns the new assignments."""
        with self._condition:
            self._epoch += 1
            made = [Assignment(self.topic, number, self._epoch, wake=self._wake) for number in partitions]
        if self._listener is not None:
            self._listener.assigned(made)
        with self._condition:
            for assignment in made:
                self.assignments[assignment.partition] = assignment
                self._books[assignment.partition] = OffsetBook(assignment)
                self._fetch(assignment, self._partitions[assignment.partition].committed)
        return made

    def deliver(
        self,
        *payloads: bytes,
        partition: int = 0,
        key: bytes | None = None,
        metadata: Mapping[str, str] | None = None,
        uuid: str | None = None,
    ) -> list[Message]:
        """Append *payloads* to the partition; returns the messages, or `[]` while it is assigned to nobody here.

        Args:
            payloads: a message each, with the same *key*, and a copy of the same *metadata*.
            partition: where they go.
            key: of each.
            metadata: of each.
            uuid: of each; by default each has one of its own. Either comes again with its message.
        """
        with self._condition:
            log = self._partitions[partition]
            first_offset = len(log.records)
            log.records.extend(
                Message(each, uuid=new_uuid() if uuid is None else uuid, metadata=dict(metadata or {}), key=key)
                for each in payloads
            )
            assignment = self.assignments.get(partition)
            return [] if assignment is None else self._fetch(assignment, first_offset)

    def _fetch(self, assignment: Assignment, first_offset: int) -> list[Message]:
        records = self._partitions[assignment.partition].records[first_offset:]
        messages = [
            Message(
                record.payload,
                uuid=record.uuid,
                metadata=dict(record.metadata),
                key=record.key,
                topic=self.topic,
                partition=assignment.partition,
                offset=offset,
                assignment=assignment,
            )
            for offset, record in enumerate(records, first_offset)
        ]
        if messages:
            self._take_in(self._books[assignment.partition], messages)
        self.messages.extend(messages)
        self._condition.notify_all()
        return messages

    def _take_in(self, book: OffsetBook, messages: list[Message]) -> None:
        book.extend(messages)
        self._buffer.extend(messages)

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Return what was delivered; see `Subscription.receive`."""
        return [message for entry in self._receive(max_messages, timeout) for message in messages_of(entry)]

    def _receive(self, max_messages: int, timeout: float) -> list[Entry]:
        deadline = MONOTONIC.now() + timeout
        with self._condition:
            self._readers += 1
            try:
                return self._wait_for_entries(max_messages, deadline)
            finally:
                self._readers -= 1

    def _wait_for_entries(self, max_messages: int, deadline: float) -> list[Entry]:
        while True:
            if self._error is not None:
                raise self._error
            if self._buffer:
                return self._take_out(max_messages)
            if self._is_closed:
                raise SubscriptionClosed
            if MONOTONIC.now() >= deadline:
                return []
            MONOTONIC.wait_until(self._condition, deadline)

    def _take_out(self, max_messages: int) -> list[Entry]:
        return [self._buffer.popleft() for _ in range(min(max_messages, len(self._buffer)))]

    @property
    def is_being_read(self) -> bool:
        """Whether somebody waits in `receive` right now; who has stopped intake does not."""
        return self._readers > 0

    def fail(self, error: BaseException) -> None:
        """Let `receive` raise *error* from now on."""
        with self._condition:
            self._error = error
            self._condition.notify_all()

    def revoke(self, *partitions: int, timeout: float = 10.0) -> bool:
        """Take *partitions* away in order, within *timeout* seconds; returns whether all settled that still could."""
        deadline = MONOTONIC.now() + timeout
        gone = [self.assignments[number] for number in partitions]
        for assignment in gone:
            assignment.is_closing = True
        self._forget_buffered(gone)
        if self._listener is not None:
            self._listener.revoked(gone, deadline)
        is_drained = self._wait_for_books(gone, deadline)
        self.commit()
        self._record(f"commit {self.topic} {sorted(partitions)}")
        self._drop(gone)
        return is_drained

    def lose(self, *partitions: int) -> None:
        """Take *partitions* away as after a missed heartbeat: closed already, nothing can be committed."""
        gone = [self.assignments[number] for number in partitions]
        self._drop(gone)
        self._forget_buffered(gone)
        if self._listener is not None:
            self._listener.lost(gone)

    def _forget_buffered(self, gone: list[Assignment]) -> None:
        with self._condition:
            self._buffer = deque(entry for entry in self._buffer if entry.assignment not in gone)

    def _wait_for_books(self, gone: list[Assignment], deadline: float) -> bool:
        """Wait as long as more of *gone* may settle; the listener has returned, so no chain runs."""
        with self._condition:
            wait = RevokeWait([self._books[each.partition] for each in gone], MONOTONIC.now(), deadline)
            while not wait.is_over(MONOTONIC.now()):
                self._condition.wait(LOOK_AGAIN_SECONDS)
            return wait.is_drained

    def _drop(self, gone: list[Assignment]) -> None:
        with self._condition:
            for assignment in gone:
                assignment.close()
                del self._books[assignment.partition], self.assignments[assignment.partition]

    def commit(self) -> None:
        """Commit what has settled, as the poll thread does at each interval."""
        with self._condition:
            for number, book in self._books.items():
                book.advance()
                next_offset = book.next_offset
                if next_offset is not None and next_offset > self._partitions[number].committed:
                    self._partitions[number].committed = next_offset
                    self.commits.append((book.assignment, next_offset))

    def committed(self, partition: int = 0) -> int:
        """Return the next offset of *partition* as the broker knows it, after a commit of what has settled."""
        self.commit()
        return self._partitions[partition].committed

    def wait_committed(self, next_offset: int, partition: int = 0, *, timeout: float = 10.0) -> bool:
        """Wait until everything before *next_offset* is committed; returns False after *timeout* seconds.

        At once where it never will be, because the subscription is closed, such as by a router that has stopped.
        """
        deadline = MONOTONIC.now() + timeout
        with self._condition:
            while self.committed(partition) < next_offset:
                if self._is_closed or MONOTONIC.now() >= deadline:
                    return False
                self._condition.wait(LOOK_AGAIN_SECONDS)
            return True

    @property
    def unread(self) -> int:
        """Messages delivered and not received."""
        return sum(1 + entry.more for entry in self._buffer)

    @property
    def pending(self) -> int:
        """Messages delivered and not settled."""
        self.commit()
        with self._condition:
            return sum(book.pending for book in self._books.values())

    @property
    def books(self) -> list[OffsetBook]:
        """See `ShowsBooks`."""
        self.commit()
        with self._condition:
            return list(self._books.values())

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._is_closed

    def close(self) -> None:
        """Commit what has settled and give everything back; see `Subscription.close`."""
        with self._condition:
            if self._is_closed:
                return
            self.commit()
            self._is_closed = True
            self._drop(list(self.assignments.values()))
            self._condition.notify_all()
        self._record(f"close subscription {self.topic}")
