"""What a Kafka subscription looks like from outside at one moment: for metrics, health checks and people."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ...delivery.offset_book import OffsetBook


class PartitionStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One partition that is ours.

    Args:
        partition: its number.
        epoch: which of the subscription's assignments this is.
        pending: messages delivered and not settled, or settled behind one that is not.
        settled: messages settled in this assignment.
        next_offset: what is committed next; `None` while that is not known: nothing has settled, and no end was reached.
    """

    partition: int
    epoch: int
    pending: int
    settled: int
    next_offset: int | None


class SubscriptionStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription.

    Args:
        topic: what it reads.
        buffered_messages: fetched and not received by a handler yet.
        buffered_bytes: what they count for in bytes: payloads, and about what keys and headers have.
        is_paused: whether nothing is fetched because nobody receives what waits.
        outage: why no broker can be reached; empty while one can, or nobody knows.
        partitions: those that are ours, by number.
    """

    topic: str
    buffered_messages: int
    buffered_bytes: int
    is_paused: bool
    outage: str
    partitions: list[PartitionStatistics]


def look_at(books: Iterable[OffsetBook]) -> list[PartitionStatistics]:
    """Return what *books* say, by partition."""
    found = [
        PartitionStatistics(
            partition=book.assignment.partition,
            epoch=book.assignment.epoch,
            pending=book.pending,
            settled=book.settled,
            next_offset=book.next_offset,
        )
        for book in books
    ]
    return sorted(found, key=lambda each: each.partition)
