"""Holding back what is fetched.

All partitions are paused while the buffer is full, the poison sink is blocked or a batch waits for its store; one partition by
itself at its bound of offsets past the commit, or of bytes. Reaching a bound past the commit asks the workers to flush: what they
hold is what it waits for. A pause throws librdkafka's prefetch away, which costs about a second: a full buffer is given a moment
first.

The bytes past the commit are bounded for all partitions together, and yet none may use up what the others need: one that stands
still would stop them all. So a partition may have as many as are left for everybody: the first that stands still ends at half of
all, each further one at half of the rest. It goes on when it has half of what it had.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, TopicPartition

from .delivery_buffer import DeliveryBuffer
from .owned_partitions import OwnedPartitions


class Brake:
    """Pauses partitions and resumes them. For the poll thread only.

    Args:
        consumer: whose partitions they are.
        owned: which of them are ours, and how much of each is pending.
        buffer: what is full or has room.
        pause_after: seconds to wait for room before everything is paused.
        max_pending_bytes: bytes that may be past the commit, in all partitions together.
    """

    def __init__(
        self,
        consumer: Consumer,
        owned: OwnedPartitions,
        buffer: DeliveryBuffer,
        *,
        pause_after: float,
        max_pending_bytes: int,
    ) -> None:
        self._consumer = consumer
        self._owned = owned
        self._buffer = buffer
        self._pause_after = pause_after
        self._max_pending_bytes = max_pending_bytes
        self._paused: set[int] = set()
        self._goes_on_at: dict[int, int] = {}
        """By partition that has too many bytes: those at which it goes on."""
        self.is_on = False
        """Whether everything is paused."""

    def keep_bound(self) -> None:
        """Pause everything at a bound of everything, and resume when there is room; a full buffer is waited for before."""
        if self.is_on:
            if self._buffer.has_room and not self._is_stopped:
                self.is_on = False
                self._resume()
        elif self._is_stopped or (self._buffer.is_full and not self._buffer.wait_for_room(self._pause_after)):
            self._stop()

    def _stop(self) -> None:
        self.is_on = True
        self._pause(set(self._owned.books))

    @property
    def _is_stopped(self) -> bool:
        """Whether what the handler has cannot go on: its poison records cannot be written, or its batch waits for the store."""
        assignments = [book.assignment for book in self._owned.books.values()]
        return any(each.is_stopped or (each.route is not None and each.route.is_sink_blocked) for each in assignments)

    def _ask_for_flush(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            assignment = self._owned.books[partition].assignment
            if assignment.route is not None:
                assignment.route.ask_for_flush([assignment])

    @property
    def is_any_full(self) -> bool:
        """Whether a partition is at its bound, so that the look at what has settled should not wait."""
        return any(book.is_full for book in self._owned.books.values()) or bool(self._heavy())

    def _heavy(self) -> set[int]:
        """Return the partitions that have too many bytes. A few comparisons for each: asked once per poll."""
        books, goes_on_at = self._owned.books, self._goes_on_at
        left = self._max_pending_bytes - sum([book.pending_bytes for book in books.values()])
        limit = max(1, left) if len(books) > 1 else self._max_pending_bytes
        return {number for number, book in books.items() if book.pending_bytes >= goes_on_at.get(number, limit)}

    def _full(self) -> set[int]:
        books, heavy = self._owned.books, self._heavy()
        for number in heavy:
            self._goes_on_at.setdefault(number, books[number].pending_bytes // 2 + 1)
        for number in self._goes_on_at.keys() - heavy:
            del self._goes_on_at[number]
        return heavy | {number for number, book in books.items() if book.is_full}

    def hold_back_full_partitions(self) -> None:
        """Pause the partitions at their bound, and resume those that no longer are."""
        full = self._full()
        if full - self._paused:
            self._ask_for_flush(full - self._paused)
            self._pause(full)
        elif self._paused - full and not self.is_on:
            self._resume()

    def let_go(self, partitions: Iterable[int]) -> None:
        """Take note that *partitions* have gone, and with them their pause."""
        for partition in partitions:
            self._paused.discard(partition)
            self._goes_on_at.pop(partition, None)

    def welcome(self, places: list[TopicPartition]) -> None:
        """Take note of partitions that were just assigned. librdkafka keeps a pause from an earlier stay: it ends here.

        Whether the buffer is full is asked anew.
        """
        self.let_go(each.partition for each in places)
        self.is_on = False
        if places:
            self._consumer.resume(places)

    def _pause(self, partitions: set[int]) -> None:
        new = partitions - self._paused
        self._paused |= new
        self._consumer.pause(self._places(new))

    def _resume(self) -> None:
        """Fetch again from every partition that is ours and has room; called when the buffer has."""
        full, books = self._full(), self._owned.books
        ready = {partition for partition in self._paused if partition in books and partition not in full}
        self._paused &= full
        if ready:
            self._consumer.resume(self._places(ready))

    def _places(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._owned.topic, partition) for partition in partitions]
