"""Holding back what is fetched.

All partitions are paused while the buffer is full, the poison sink is blocked, or too many bytes are past the commit; one
partition at its bound of offsets past the commit. Reaching a bound past the commit asks the workers to flush: what they hold is
what it waits for. A pause throws librdkafka's prefetch away, which costs about a second: a full buffer is given a moment first.
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
        self.is_on = False
        """Whether everything is paused."""

    def keep_bound(self) -> None:
        """Pause everything at a bound, and resume when half of it is free; a full buffer is waited for before."""
        if self.is_on:
            if self._buffer.has_room and not self._is_stopped(self._max_pending_bytes // 2):
                self.is_on = False
                self._resume()
        elif self._is_stopped(self._max_pending_bytes):
            self._stop()
            self._ask_for_flush(self._owned.books)
        elif self._buffer.is_full and not self._buffer.wait_for_room(self._pause_after):
            self._stop()

    def _stop(self) -> None:
        self.is_on = True
        self._pause(set(self._owned.books))

    def _is_stopped(self, limit: int) -> bool:
        """Whether it is not the buffer that stops intake: few partitions, looked at once per poll."""
        size = 0
        for book in self._owned.books.values():
            size += book.pending_bytes
            route = book.assignment.route
            if route is not None and route.is_sink_blocked:
                return True
        return size >= limit

    def _ask_for_flush(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            assignment = self._owned.books[partition].assignment
            if assignment.route is not None:
                assignment.route.ask_for_flush([assignment])

    @property
    def is_any_full(self) -> bool:
        """Whether a partition is at its bound."""
        return any(book.is_full for book in self._owned.books.values())

    def hold_back_full_partitions(self) -> None:
        """Pause the partitions at their bound, and resume those that no longer are."""
        full = {partition for partition, book in self._owned.books.items() if book.is_full}
        if full - self._paused:
            self._ask_for_flush(full - self._paused)
            self._pause(full)
        elif self._paused - full and not self.is_on:
            self._resume()

    def let_go(self, partitions: Iterable[int]) -> None:
        """Take note that *partitions* have gone, and with them their pause."""
        self._paused.difference_update(partitions)

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
        books = self._owned.books
        ready = {partition for partition in self._paused if partition in books and not books[partition].is_full}
        self._paused &= {partition for partition in books if books[partition].is_full}
        if ready:
            self._consumer.resume(self._places(ready))

    def _places(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._owned.topic, partition) for partition in partitions]
