"""What is done when the group gives partitions to a consumer or takes them away.

All of it happens inside callbacks, on the poll thread, and the client is polled by nobody meanwhile: both the question where
partitions begin and the drain of a revoke have a deadline.
"""

from __future__ import annotations

from confluent_kafka import Consumer, TopicPartition

from ...clock import MONOTONIC
from ..config import KafkaSubscriberConfig
from ..connection import ConnectionWatch
from .committer import Committer
from .intake import Intake
from .membership import Membership, Move
from .owned_partitions import OwnedPartitions
from .recipient import Recipient
from .starts import NOWHERE, Starts

MAX_REVOKE_SECONDS = 10.0
"""What others in the group wait for at most when a partition leaves us."""


class Rebalances:
    """Answers them. For the poll thread only, inside the callbacks of the consumer.

    Args:
        owned: the partitions that the consumer has.
        intake: lets go of what was fetched.
        committer: stores and commits before partitions go.
        recipient: hears of it, and is waited for.
        membership: whether we are closing; hears when nobody says where partitions begin.
        watch: whether there are brokers to commit to; hears when they answer.
        config: group protocol and times.
    """

    def __init__(
        self,
        owned: OwnedPartitions,
        intake: Intake,
        committer: Committer,
        recipient: Recipient,
        membership: Membership,
        watch: ConnectionWatch,
        config: KafkaSubscriberConfig,
    ) -> None:
        self._owned = owned
        self._intake = intake
        self._committer = committer
        self._recipient = recipient
        self._membership = membership
        self._watch = watch
        self._revoke_seconds = revoke_seconds(config)
        self._starts = Starts(config, committer.identity)
        self._is_incremental = config.group_protocol == "consumer" or config.assignment_strategy == "cooperative-sticky"

    def assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Take in *partitions*, each where it begins."""
        deadline = MONOTONIC.now() + self._revoke_seconds
        starts = self._starts.of(consumer, partitions, deadline, self._is_closing)
        if starts is None:
            self._membership.take(Move.START_UNTOLD)
            starts = NOWHERE
        elif partitions and not self._watch.is_in_contact:
            self._watch.on_contact()
        self._committer.go_on_from(starts.notes, starts.partitions, deadline)
        self._recipient.assigned(self._owned.add(each.partition for each in starts.all))
        if self._is_incremental:
            consumer.incremental_assign(starts.all)
        else:
            consumer.assign(starts.all)
        self._intake.brake.welcome(starts.all)
        self._committer.begin(starts.ends, deadline, self._is_closing)

    def _is_closing(self) -> bool:
        return self._membership.is_closing

    def revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Finish and commit what was begun of *partitions*, within a deadline, and give them up. The order is the contract's."""
        deadline = MONOTONIC.now() + self._revoke_seconds
        books = self._owned.of(each.partition for each in partitions)
        gone = [book.assignment for book in books]
        assigned = [each for each in partitions if each.partition in self._owned.books]
        for assignment in gone:
            assignment.is_closing = True
        self._intake.forget(gone)
        if not self._membership.is_closing:
            self._recipient.revoked(gone, deadline)
        for book in books:
            book.discard_unstarted()
        if not self._membership.is_closing:
            self._recipient.wait_for(books, deadline)
        self._committer.store(books)
        if not self._membership.is_closing and not self._watch.outage:
            self._committer.commit()  # else librdkafka alone commits what is stored, as they go
        self._owned.remove(books)
        self._intake.brake.let_go(each.partition for each in partitions)
        if self._is_incremental:
            consumer.incremental_unassign(assigned)  # the group may have more for us than we could take
        else:
            consumer.unassign()

    def lost(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        """Take note that *partitions* have gone already: nothing of them commits any more."""
        books = self._owned.of(each.partition for each in partitions)
        gone = [book.assignment for book in books]
        self._owned.remove(books)
        self._intake.brake.let_go(each.partition for each in partitions)
        self._intake.forget(gone)
        self._recipient.lost(gone)


def revoke_seconds(config: KafkaSubscriberConfig) -> float:
    """Return how long a drain inside a revoke may take without the group giving the member up."""
    seconds = min(MAX_REVOKE_SECONDS, config.max_poll_interval / 5)
    return min(seconds, config.session_timeout / 2) if config.group_protocol == "classic" else seconds
