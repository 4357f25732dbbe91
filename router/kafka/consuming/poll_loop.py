"""The thread that alone touches the Kafka consumer: polls, stores and commits.

It polls in every state: while handlers are slow, retries sleep, or the store is away, so that the group never takes the
consumer for dead. Exceptions: it waits for room in the buffer for at most `pause_after` seconds before it pauses the partitions
(a pause throws librdkafka's prefetch away, which costs about a second), and it drains inside a revoke, within a deadline.

Where the consumer stands to its group is decided in `membership` and done in `member`; `rebalances` answers the group, inside
polls; `intake` takes in what they bring; `committer` alone stores offsets and commits them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaException

from ...clock import MONOTONIC
from ...delivery.run import CHUNK_MESSAGES
from ...delivery.standstill import StandstillWatch
from ..config import KafkaSubscriberConfig
from ..connection import ConnectionWatch
from ..stall import StallWatch
from .committer import Committer
from .errors import InstanceInUse, RecordErrors, client_failed
from .inbox import Inbox
from .intake import Intake
from .member import GATHER_SECONDS, POLL_SECONDS, Member
from .membership import Membership
from .owned_partitions import OwnedPartitions
from .rebalances import Rebalances
from .recipient import Recipient
from .signs_of_life import SignsOfLife
from .statistics import SubscriptionStatistics, look_at
from .topic_identity import TopicIdentity
from .topic_watch import TopicWatch

STORE_SECONDS = 0.05
"""Between stores of what has settled, and looks at bounds and standstills: 20 times a commit interval of one second."""


class WatchedConsumer(NamedTuple):
    """A consumer, and what its callbacks report to."""

    consumer: Consumer
    """Made for one loop; nobody else uses it."""
    watch: ConnectionWatch
    """Hears of errors and of the first record."""
    stall: StallWatch
    """Hears of the consumer's brokers."""
    identity: TopicIdentity
    """Knows of which topic the offsets are; outlives the consumer."""


class PollLoop:
    """One consumer's life; `run` is the body of its thread.

    Args:
        client: who is polled.
        owned: the partitions that it has.
        inbox: where messages go.
        recipient: hears of assignments; a revoke waits for it.
        config: group protocol, bounds and times.
    """

    def __init__(
        self,
        client: WatchedConsumer,
        owned: OwnedPartitions,
        inbox: Inbox,
        recipient: Recipient,
        config: KafkaSubscriberConfig,
    ) -> None:
        consumer, watch, _, identity = self._client = client
        self._owned = owned
        self._inbox = inbox
        self._config = config
        self._membership = Membership()
        self._committer = Committer(consumer, owned, identity)
        self._topic_watch = TopicWatch(consumer, owned, config, watch, identity)
        errors = RecordErrors(consumer, owned.topic, config, self._topic_watch)
        self._intake = Intake(consumer, owned, inbox, recipient, config, errors.take)
        rebalances = Rebalances(owned, self._intake, self._committer, recipient, self._membership, watch, config)
        self._member = Member(consumer, owned, self._membership, rebalances, config)
        self._signs_of_life = SignsOfLife(watch)
        self._standstill = StandstillWatch(config.warn_after)
        self._next_store = 0.0
        self._is_busy = False
        """Whether the last chunk was a whole one."""

    def close(self) -> None:
        """End the loop: commit what is settled and leave the group. From any thread; returns at once."""
        self._membership.close()

    @property
    def is_committed(self) -> bool:
        """Whether the last commit worked that was waited for."""
        return self._committer.is_committed

    def statistics(self) -> SubscriptionStatistics:
        """Return how far it is. From any thread."""
        return SubscriptionStatistics(
            topic=self._owned.topic,
            buffered_messages=self._inbox.buffer.messages,
            buffered_bytes=self._inbox.buffer.bytes,
            is_paused=self._intake.brake.is_on,
            outage=self._client.watch.outage,
            partitions=look_at(list(self._owned.books.values())),
        )

    def run(self) -> bool:
        """Poll until closed; returns False when the client is stalled: it has to be replaced, and this loop abandoned.

        Raises:
            ConfigurationError, HaltedError: what only people can mend.
            InstanceInUse: the group does not take this static member in yet; another loop may be tried later.
            MillstreamError: the client failed; its own exceptions never come out, as some break whoever logs them (in their
                `__context__` stands something that is no exception).
        """
        try:
            return self._run()
        except KafkaException as error:
            failure = client_failed(error, self._owned.topic, self._config)
        raise failure

    def abandon(self) -> None:
        """Take every partition for lost, without a word to the brokers. After a `run` that returned False; nothing may follow."""
        self._member.abandon()

    def _run(self) -> bool:
        consumer, _, stall, _ = self._client
        is_stalled = False
        try:
            while not self._membership.is_closing:
                self._step()
                if stall.is_cut_off and stall.is_stalled(consumer, MONOTONIC.now()):
                    is_stalled = True
                    return False
            self._committer.store()
            self._committer.commit()
        except InstanceInUse:
            self._member.lose()  # whatever it had: the subscription goes on, and its handler has to know
            raise
        finally:
            if not is_stalled:
                self._membership.close()
                self._end(consumer)
        return True

    def _end(self, consumer: Consumer) -> None:
        try:
            self._member.leave()
        finally:
            consumer.close()
            self._owned.remove(list(self._owned.books.values()))

    def _fetch(self) -> list[Any]:
        consumer = self._client.consumer
        records = consumer.consume(CHUNK_MESSAGES, GATHER_SECONDS) if self._is_busy else []
        if not records:
            records, epoch = consumer.consume(1, POLL_SECONDS), self._owned.epoch
            if records:
                more = consumer.consume(CHUNK_MESSAGES - 1, GATHER_SECONDS)
                records = self._owned.of_before(records, epoch) + more
        self._is_busy = len(records) == CHUNK_MESSAGES
        return records

    def _step(self) -> None:
        failure = self._member.failure or self._client.watch.failure
        if failure is not None:
            raise failure
        self._client.identity.look(MONOTONIC.now(), self._owned.epoch)  # first: it takes as long as joining
        self._member.keep_up()
        unpacked = self._intake.unpack(self._fetch())
        self._signs_of_life.look(has_messages=bool(unpacked.entries))
        has_messages = self._intake.take(unpacked)
        self._owned.let_go_of_settled()
        now = MONOTONIC.now()
        self._topic_watch.look(now, has_partitions=bool(self._owned.books))
        brake = self._intake.brake
        if now >= self._next_store or not has_messages or brake.is_any_full:
            self._committer.store()
            brake.hold_back_full_partitions()
            self._standstill.look(self._owned.books.values(), now)
            self._next_store = now + STORE_SECONDS
        brake.keep_bound()
