"""Holding back what is fetched: all partitions while the buffer is full, one partition at its bound of offsets past the commit.

A pause throws librdkafka's prefetch away, which costs about a second; so a full buffer is given a moment first.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, TopicPartition

from .delivery_buffer import DeliveryBuffer
from .holdings import Holdings


class Brake:
    """Pauses partitions and resumes them. For the poll thread only.

    Args:
        consumer: whose partitions they are.
        holdings: which of them are ours, and how much of each is pending.
        buffer: what is full or has room.
        pause_after: seconds to wait for room before everything is paused.
    """

    def __init__(self, consumer: Consumer, holdings: Holdings, buffer: DeliveryBuffer, pause_after: float) -> None:
        self._consumer = consumer
        self._holdings = holdings
        self._buffer = buffer
        self._pause_after = pause_after
        self._paused: set[int] = set()
        self.is_on = False
        """Whether everything is paused because the buffer is full."""

    def keep_bound(self) -> None:
        """Wait for room for a moment; pause when that is not enough, resume when half of the buffer is free."""
        if self.is_on:
            if self._buffer.has_room:
                self.is_on = False
                self._resume()
        elif self._buffer.is_full and not self._buffer.wait_for_room(self._pause_after):
            self.is_on = True
            self._pause(set(self._holdings.books))

    @property
    def is_any_full(self) -> bool:
        """Whether a partition is at its bound."""
        return any(book.is_full for book in self._holdings.books.values())

    def hold_back_full_partitions(self) -> None:
        """Pause the partitions at their bound, and resume those that no longer are."""
        full = {partition for partition, book in self._holdings.books.items() if book.is_full}
        if full - self._paused:
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
        books = self._holdings.books
        ready = {partition for partition in self._paused if partition in books and not books[partition].is_full}
        self._paused &= {partition for partition in books if books[partition].is_full}
        if ready:
            self._consumer.resume(self._places(ready))

    def _places(self, partitions: Iterable[int]) -> list[TopicPartition]:
        return [TopicPartition(self._holdings.topic, partition) for partition in partitions]
