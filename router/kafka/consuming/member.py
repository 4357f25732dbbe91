"""Joining the group, and leaving it: what `Membership` finds due, done to the consumer."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, TopicPartition
from loguru import logger

from ...clock import MONOTONIC
from ...delivery.run import CHUNK_MESSAGES
from ...errors import MillstreamError
from ..config import KafkaSubscriberConfig
from .errors import client_failed
from .membership import Membership, Move
from .owned_partitions import OwnedPartitions
from .rebalances import Rebalances, revoke_seconds

LEAVE_SECONDS = 0.01
"""How long one poll takes that brings the answer of a group that is left: librdkafka returns from it at its end only."""
POLL_SECONDS = 0.1
"""How long one poll waits for a record; a close is noticed as soon."""
GATHER_SECONDS = 0.005
"""How long it waits for more, up to a chunk, once there is one: at most so late is a record, and a chunk of few costs no more
than 200 rounds a second. librdkafka itself waits until either all are there or the time is over."""

Rebalanced = Callable[[Consumer, list[TopicPartition]], None]


class Member:
    """One consumer in its group. For the poll thread only.

    Args:
        consumer: joins and leaves.
        owned: the partitions that it has.
        membership: what is due.
        rebalances: answers the group.
        config: the group, and whether the member is static.
    """

    def __init__(
        self,
        consumer: Consumer,
        owned: OwnedPartitions,
        membership: Membership,
        rebalances: Rebalances,
        config: KafkaSubscriberConfig,
    ) -> None:
        self._consumer = consumer
        self._owned = owned
        self._membership = membership
        self._rebalances = rebalances
        self._config = config
        self.failure: MillstreamError | None = None
        """What went wrong in a callback."""

    def keep_up(self) -> None:
        """Do what is due: join, or leave to join again."""
        move = self._membership.due(has_partitions=bool(self._owned.books))
        if move is None:
            return
        self._membership.take(move)
        if move is Move.JOIN:
            self._join()
            return
        logger.bind(topic=self._owned.topic, group=self._config.group_id).warning(
            "the brokers do not tell the committed offsets, joining the group again"
        )
        self._consumer.unsubscribe()

    def _join(self) -> None:
        self._consumer.subscribe(
            [self._owned.topic],
            on_assign=self._guarded(self._rebalances.assigned),
            on_revoke=self._guarded(self._rebalances.revoked),
            on_lost=self._guarded(self._rebalances.lost),
        )

    def _guarded(self, callback: Rebalanced) -> Rebalanced:
        """Keep the client's exceptions inside *callback*: out of a poll they come as something that nobody can catch."""

        def guarded(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            try:
                callback(consumer, partitions)
            except KafkaException as error:
                self.failure = client_failed(error, self._owned.topic, self._config)

        return guarded

    def leave(self) -> None:
        """Give everything up before the client closes.

        When a rebalance has begun and its revoke was not answered yet, librdkafka's close does not wait for the answer: a
        commit in there then aborts the process, and giving the partitions up may never return. Once unsubscribed there is no
        rebalance to begin. A static member would leave its group by that: it only answers what waits.
        """
        if self._config.group_instance_id is not None:
            self._consumer.consume(CHUNK_MESSAGES, 0.0)
            return
        self._consumer.unsubscribe()
        deadline = MONOTONIC.now() + revoke_seconds(self._config)
        while self._owned.books and MONOTONIC.now() < deadline:
            self._consumer.consume(CHUNK_MESSAGES, LEAVE_SECONDS)

    def lose(self) -> None:
        """Take every partition for lost."""
        self._rebalances.lost(self._consumer, [TopicPartition(self._owned.topic, each) for each in self._owned.books])

    def abandon(self) -> None:
        """Take every partition for lost, without a word to the brokers."""
        self.lose()
        # Callbacks would keep us, and by us the client, whose end belongs to whoever lets go of it.
        self._consumer.subscribe([self._owned.topic])
