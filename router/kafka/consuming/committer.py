"""Handing offsets over: what has settled to librdkafka, which commits it by interval, and at an end to the brokers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from loguru import logger

from ...clock import MONOTONIC
from ...delivery.offset_book import OffsetBook
from .commit_note import CommitNote
from .owned_partitions import OwnedPartitions
from .topic_identity import TopicIdentity

GROUP_MOVES = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
    }
)
"""Why a commit is refused while the group shares out anew: librdkafka commits what is stored when the revoke comes, if it can."""
BEGIN_SECONDS = 1.0
"""How long the coordinator may take to say that it has where a group begins."""
ASK_AGAIN_SECONDS = 0.05


class Committer:
    """The only one who stores offsets and commits them. For the poll thread only.

    Args:
        consumer: whose offsets they are.
        owned: the partitions that are ours, with their books.
        identity: of which topic the offsets are; hears of which those are that we go on from.
    """

    def __init__(self, consumer: Consumer, owned: OwnedPartitions, identity: TopicIdentity) -> None:
        self._consumer = consumer
        self._owned = owned
        self.identity = identity
        """Of which topic the offsets are."""
        self._partitions: int | None = None
        self.is_committed = True
        """Whether the last commit worked that was waited for."""

    def go_on_from(self, notes: Iterable[CommitNote], partitions: int | None, deadline: float) -> None:
        """Take note of what the commits say that we go on from, and how many partitions there were when the group began.

        Raises:
            HaltedError: the commits are of another topic than the one that is there.
        """
        self.identity.expect([note.topic_id for note in notes], deadline)
        if partitions is not None:
            self._partitions = partitions

    def begin(self, ends: Sequence[TopicPartition], deadline: float, is_closing: Callable[[], bool]) -> None:
        """Commit that the group begins at *ends*; returns when the coordinator has it, or at *deadline*.

        librdkafka's own way of waiting has no limit, so the commit is sent without, and asked for until it is there. Where that
        does not work the places stay stored, and go with the commit of the next interval.
        """
        if not ends:
            return
        places = self._places({each.partition: each.offset for each in ends})
        self._store(places)
        deadline = min(deadline, MONOTONIC.now() + BEGIN_SECONDS)
        reason, pause = "no answer in time", threading.Event()
        try:
            self._consumer.commit(offsets=places, asynchronous=True)
            while (left := deadline - MONOTONIC.now()) > 0:
                answers = self._consumer.committed(places, timeout=left)
                if is_closing() or all(each.offset >= 0 for each in answers):
                    return
                pause.wait(ASK_AGAIN_SECONDS)
        except KafkaException as failure:
            reason = str(failure.args[0])
        text = "where the group begins in {topic} is not committed yet, trying again with the next commit: {reason}"
        logger.warning(text, topic=self._owned.topic, reason=reason)

    def store(self, books: Sequence[OffsetBook] | None = None) -> None:
        """Hand librdkafka what may be committed of *books*, or of all.

        It refuses partitions that are not ours and never moves backwards; what it refused is handed over again.
        """
        moved = self._owned.advance(books)
        if moved and not self._store(self._places(moved)):
            self._owned.forget_stored(moved)

    def _places(self, offsets: Mapping[int, int]) -> list[TopicPartition]:
        note = CommitNote(self.identity.topic_id, self._partitions).text
        return [TopicPartition(self._owned.topic, *each, note) for each in offsets.items()]

    def _store(self, places: list[TopicPartition]) -> bool:
        """Hand librdkafka the offsets in *places*; returns whether it took them."""
        try:
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
            text = "offsets of {topic} not committed as partitions go, what they cover may be delivered again: {error}"
            logger.warning(text, topic=self._owned.topic, error=str(error))
