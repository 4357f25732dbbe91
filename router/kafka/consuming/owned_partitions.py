"""The partitions that one consumer has, each with its assignment and offset book. No I/O; for the poll thread only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError

from ...delivery.assignment import Assignment
from ...delivery.offset_book import OffsetBook


class OwnedPartitions:
    """Assignments and offset books by partition.

    Args:
        topic: what is consumed.
        max_pending: see `OffsetBook`.
        make: makes an assignment from partition and epoch.
    """

    def __init__(self, topic: str, max_pending: int, make: Callable[[int, int], Assignment]) -> None:
        self.topic = topic
        self.books: dict[int, OffsetBook] = {}
        """By partition."""
        self.were_any = False
        """Whether there has been a partition."""
        self._max_pending = max_pending
        self._make = make
        self.epoch = 0
        """Which assignment, or beginning again of a log that was rewound, was the last."""
        self._stored: dict[int, int] = {}

    def add(self, partitions: Iterable[int]) -> list[Assignment]:
        """Take in *partitions*, which are ours from now on; returns their assignments."""
        self.epoch += 1
        made = [self._make(partition, self.epoch) for partition in partitions]
        self.were_any = self.were_any or bool(made)
        self.remove(
            self.of(assignment.partition for assignment in made)
        )  # there are none, unless the client lost count
        for assignment in made:
            self.books[assignment.partition] = OffsetBook(assignment, max_pending=self._max_pending)
            self._stored.pop(assignment.partition, None)
        return made

    def of(self, partitions: Iterable[int]) -> list[OffsetBook]:
        """Return the books of those of *partitions* that are ours."""
        return [self.books[partition] for partition in partitions if partition in self.books]

    def of_before(self, records: list[Any], epoch: int) -> list[Any]:
        """Return those of *records*, fetched in *epoch*, whose partition has not begun anew since.

        Its new stay may begin below them, and they come again. The client drops by itself what a rebalance has made old, but not
        what it has given out before.
        """
        return records if epoch == self.epoch else [each for each in records if not self._is_newer(each, epoch)]

    def _is_newer(self, record: Any, epoch: int) -> bool:
        book = self.books.get(record.partition())
        is_place = record.error() is None or record.error().code() == KafkaError._PARTITION_EOF
        return is_place and book is not None and book.assignment.epoch > epoch

    def remove(self, books: Iterable[OffsetBook]) -> None:
        """Close the assignments of *books*: nothing of them commits any more."""
        for book in books:
            book.assignment.close()
            if self.books.get(book.assignment.partition) is book:
                del self.books[book.assignment.partition]

    def renew(self, book: OffsetBook) -> Assignment:
        """Begin a new epoch of one partition: its log was rewound, so what is pending comes again."""
        self.remove([book])
        return self.add([book.assignment.partition])[0]

    def let_go_of_settled(self) -> None:
        """Let settled messages go, soon: memory that is used again at once costs less than new memory."""
        for book in self.books.values():
            book.advance()

    def advance(self, books: Iterable[OffsetBook] | None = None) -> dict[int, int]:
        """Let settled messages go; returns the next offset of each partition where it has moved since the last call."""
        moved: dict[int, int] = {}
        for book in list(self.books.values()) if books is None else books:
            book.advance()
            partition, next_offset = book.assignment.partition, book.next_offset
            if next_offset is not None and self._stored.get(partition) != next_offset:
                self._stored[partition] = moved[partition] = next_offset
        return moved

    def forget_stored(self, partitions: Iterable[int]) -> None:
        """Report these again: storing their offsets did not work."""
        for partition in partitions:
            self._stored.pop(partition, None)
