"""Handing offsets over: what has settled to librdkafka, which commits it by interval, and at an end to the brokers at once."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from loguru import logger

from ...delivery.offset_book import OffsetBook
from .owned_partitions import OwnedPartitions

GROUP_MOVES = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
    }
)
"""Why a commit is refused while the group shares out anew: librdkafka commits what is stored when the revoke comes, if it can."""


class Committer:
    """The only one who stores offsets and commits them. For the poll thread only.

    Args:
        consumer: whose offsets they are.
        owned: the partitions that are ours, with their books.
    """

    def __init__(self, consumer: Consumer, owned: OwnedPartitions) -> None:
        self._consumer = consumer
        self._owned = owned
        self.is_committed = True
        """Whether the last commit worked that was waited for."""

    def store(self, books: Sequence[OffsetBook] | None = None) -> None:
        """Hand librdkafka what may be committed of *books*, or of all.

        It refuses partitions that are not ours and never moves backwards; what it refused is handed over again.
        """
        moved = self._owned.advance(books)
        if not self.store_places([TopicPartition(self._owned.topic, *each) for each in moved.items()]):
            self._owned.forget_stored(moved)

    def store_places(self, places: list[TopicPartition]) -> bool:
        """Hand librdkafka the offsets in *places*; returns whether it took them."""
        try:
            if places:
                self._consumer.store_offsets(offsets=places)
        except KafkaException as error:
            log = logger.bind(topic=self._owned.topic, error=str(error))
            log.debug("offsets not stored, the partition is going")
            return False
        return True

    def commit(self) -> None:
        """Commit what is stored, and wait for the answer; says when it is refused."""
        try:
            answers = self._consumer.commit(asynchronous=False) or []
            error = next((each.error for each in answers if each.error is not None), None)
        except KafkaException as failure:
            error = failure.args[0]
        code = None if error is None else error.code()
        is_done = code in (None, KafkaError._NO_OFFSET)
        self.is_committed = is_done or code in GROUP_MOVES
        if not is_done:
            logger.bind(topic=self._owned.topic, error=str(error)).warning(
                "offsets not committed as partitions go: what they cover may be delivered again"
            )
