"""A subscriber that delivers runs; the thread of the test plays the poll thread."""

import threading
from collections import deque

from millstream.router import Assignment, MessageRun, OffsetBook, SubscriptionClosed
from millstream.router.delivery.run import Entry, messages_of
from millstream.router.testing import eventually


class RunSubscription:
    """Two partitions, each with a book."""

    def __init__(self, topic, listener):
        self.assignments = [Assignment(topic, number, 1) for number in range(2)]
        self.books = [OffsetBook(assignment) for assignment in self.assignments]
        listener.assigned(self.assignments)
        self._listener = listener
        self._next = [0, 0]
        self._entries: deque[Entry] = deque()
        self._condition = threading.Condition()
        self._is_closed = False

    def deliver(self, *payloads, partition=0):
        """Put a run of *payloads* into its book and deliver it."""
        first = self._next[partition]
        run = MessageRun(list(payloads), self.assignments[partition], first, first + len(payloads) - 1)
        self._next[partition] += len(payloads)
        assert self.books[partition].append_run(run)
        with self._condition:
            self._entries.append(run)
            self._condition.notify_all()
        return run

    def receive_entries(self, max_messages, timeout):
        """Give what was delivered."""
        with self._condition:
            self._condition.wait_for(lambda: self._entries or self._is_closed, timeout)
            if not self._entries and self._is_closed:
                raise SubscriptionClosed
            entries = list(self._entries)
            self._entries.clear()
            return entries

    def receive(self, max_messages, timeout):
        """Give the messages of what was delivered."""
        return [each for entry in self.receive_entries(max_messages, timeout) for each in messages_of(entry)]

    def close(self):
        """Let the receiver see the end."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()

    def committed(self, partition=0):
        """Return what may be committed now."""
        self.books[partition].advance()
        return self.books[partition].next_offset

    def wait_committed(self, offset, partition=0):
        """Wait until everything below *offset* may be committed."""
        return eventually(lambda: self.committed(partition) == offset)

    def revoke(self, partition=0):
        """Take a partition away."""
        assignment = self.assignments[partition]
        assignment.is_closing = True
        self._listener.revoked([assignment], 0.0)


class RunSubscriber:
    """Makes one such subscription."""

    subscription: RunSubscription

    def subscribe(self, topic, listener=None):
        """Open it."""
        self.subscription = RunSubscription(topic, listener)
        return self.subscription

    def close(self):
        """Nothing is open beside it."""
