"""Records as they come out of a poll, made into messages in their offset books.

Every record comes by here, so the loop is written out: a call for each would cost as much as all the rest. Bytes are accounted
for by run, the records of one partition that follow each other; `besides` adds what is not payload.

In place of a record librdkafka says that the end of a partition was reached, and the position there: the book takes it in, as
nothing else tells what lies between the last message and the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import lt
from typing import Any, NamedTuple

from confluent_kafka import KafkaError
from confluent_kafka import Message as Record

from ...delivery.assignment import Assignment
from ...delivery.offset_book import OffsetBook
from ...delivery.run import Entry
from .besides import Besides
from .owned_partitions import OwnedPartitions
from .received import UNREAD, ReceivedMessage, ReceivedRun


class Unpacked(NamedTuple):
    """What came of one poll."""

    entries: list[Entry]
    """Messages, one by one or in runs."""
    messages: int
    """How many they are."""
    size: int
    """Bytes of their payloads, and about those of their keys and headers."""
    largest: int
    """Bytes of the largest payload."""


class Unpacker:
    """Makes messages of records. For the poll thread only.

    Args:
        owned: the partitions that are ours; records of others were fetched before they went, and are dropped.
        on_error: told of each record that is an error; the end of a partition is none.
        on_rewound: told of the old and the new assignment when a record stands below what was read before.
    """

    def __init__(
        self,
        owned: OwnedPartitions,
        on_error: Callable[[Any], None],
        on_rewound: Callable[[Assignment, Assignment], None],
    ) -> None:
        self._owned = owned
        self._on_error = on_error
        self._on_rewound = on_rewound
        self._besides = Besides()

    def unpack(self, records: Sequence[Any], *, in_runs: bool = False) -> Unpacked:
        """Return the messages of *records*, each in its book, one by one or in runs."""
        return self._unpack_runs(records) if in_runs else self._unpack_messages(records)

    def _unpack_runs(self, records: Sequence[Any]) -> Unpacked:
        return self._unpack_one(records) or self._unpack_several(records)

    def _unpack_one(self, records: Sequence[Any]) -> Unpacked | None:
        """Return *records* as one run where they are messages of one partition that follow what was read; mostly they are."""
        partition = records[0].partition() if records else -1
        book = self._owned.books.get(partition)
        if book is None or any(map(Record.error, records)):
            return None
        if list(map(Record.partition, records)).count(partition) < len(records):
            return None
        offsets: list[Any] = list(map(Record.offset, records))
        if offsets[0] <= book.newest or not all(map(lt, offsets, offsets[1:])):
            return None
        payloads: list[Any] = list(map(Record.value, records))
        if not all(payloads) and None in payloads:
            return None
        lengths = list(map(len, payloads))
        run = ReceivedRun(
            payloads, book.assignment, offsets[0], offsets[-1], size_bytes=sum(lengths), records=list(records)
        )
        return Unpacked([run], len(payloads), self._take_run_in(book, run), max(lengths))

    def _unpack_several(self, records: Sequence[Any]) -> Unpacked:
        runs: list[Entry] = []
        books = self._owned.books
        partition, book, newest, first = -1, None, -1, -1
        payloads, theirs = list[bytes](), list[Any]()  # of the run at hand, which begins at the offset *first*
        size = largest = 0
        for record in records:
            if record.error() is not None:
                size += self._end_run(book, runs, payloads, theirs, first, newest)
                partition, book, payloads, theirs = -1, None, [], []
                self._take_other(record)
                continue
            if record.partition() != partition:
                size += self._end_run(book, runs, payloads, theirs, first, newest)
                partition, payloads, theirs = record.partition(), [], []
                book = books.get(partition)
                newest = -1 if book is None else book.newest
            if book is None:
                continue
            offset = record.offset()
            if offset <= newest:
                size += self._end_run(book, runs, payloads, theirs, first, newest)
                book, payloads, theirs = self._renewed(book), [], []
            if not theirs:
                first = offset
            newest = offset
            payload = record.value() or b""
            if len(payload) > largest:
                largest = len(payload)
            payloads.append(payload)
            theirs.append(record)
        size += self._end_run(book, runs, payloads, theirs, first, newest)
        return Unpacked(runs, sum([1 + run.more for run in runs]), size, largest)

    def _end_run(
        self,
        book: OffsetBook | None,
        runs: list[Entry],
        payloads: list[bytes],
        records: list[Any],
        first: int,
        last: int,
    ) -> int:
        """Put the run at hand into its book and to the others; returns the bytes that it counts for."""
        if book is None or not records:
            return 0
        run = ReceivedRun(payloads, book.assignment, first, last, records=records)
        runs.append(run)
        return self._take_run_in(book, run)

    def _take_run_in(self, book: OffsetBook, run: ReceivedRun) -> int:
        book.append_run(run)
        size = run.size_bytes + self._besides.of_run(run)
        book.account(size)
        return size

    def _unpack_messages(self, records: Sequence[Any]) -> Unpacked:
        messages: list[ReceivedMessage] = []
        append, books, topic = messages.append, self._owned.books, self._owned.topic
        partition, book, newest = -1, None, -1
        size = largest = first = before = 0  # the run at hand begins with message *first*, after *before* bytes
        for record in records:
            if record.error() is not None:
                size += self._take_in(book, messages[first:], size - before)
                partition, book = -1, None
                self._take_other(record)
                continue
            if record.partition() != partition:
                size += self._take_in(book, messages[first:], size - before)
                partition, first, before = record.partition(), len(messages), size
                book = books.get(partition)
                if book is not None:
                    assignment, newest = book.assignment, book.newest
            if book is None:
                continue
            offset = record.offset()
            if offset <= newest:
                size += self._take_in(book, messages[first:], size - before)
                book = self._renewed(book)
                assignment, first, before = book.assignment, len(messages), size
            newest = offset
            payload = record.value() or b""
            length = len(payload)
            size += length
            if length > largest:
                largest = length
            append(ReceivedMessage(payload, "", UNREAD, topic, partition, offset, assignment, record))
        size += self._take_in(book, messages[first:], size - before)
        return Unpacked(list[Entry](messages), len(messages), size, largest)

    def _take_other(self, record: Any) -> None:
        """Take in what is no message; what came before it is in its book."""
        if record.error().code() != KafkaError._PARTITION_EOF:
            self._on_error(record)
            return
        book = self._owned.books.get(record.partition())
        if book is not None:
            book.reach(record.offset())

    def _renewed(self, book: OffsetBook) -> OffsetBook:
        """Begin a new epoch: a record stands below what was read before."""
        old = book.assignment
        new = self._owned.renew(book)
        self._on_rewound(old, new)
        return self._owned.books[new.partition]

    def _take_in(self, book: OffsetBook | None, run: list[ReceivedMessage], size: int) -> int:
        """Put a run into its book at once, as a call for each message would cost as much as making it; *size* is of its payloads.

        Returns what it counts for besides.
        """
        if book is None or not run:
            return 0
        book.extend(run)
        besides = self._besides.of(run)
        book.account(size + besides)
        return besides
