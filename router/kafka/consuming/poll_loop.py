"""The thread that alone touches the Kafka consumer: fetches, keeps the books, stores offsets, and answers rebalances.

It polls in every state: while handlers are slow, retries sleep, or the store is away, so that the group never takes the
consumer for dead. Exceptions: it waits for room in the buffer for at most `pause_after` seconds before it pauses the partitions
(a pause throws librdkafka's prefetch away, which costs about a second), and it drains inside a revoke, within a deadline.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from loguru import logger

from ...clock import MONOTONIC
from ...delivery.assignment import Assignment
from ...delivery.offset_book import OffsetBook
from ...delivery.revoke_wait import RevokeWait
from ...delivery.standstill import StandstillWatch
from ...errors import ConfigurationError, MillstreamError
from ...protocols import AssignmentListener
from ..config import KafkaSubscriberConfig
from ..connection import ConnectionWatch
from ..errors import UNKNOWN_TOPIC, out_of_range
from ..redaction import hide
from ..stall import StallWatch
from .brake import Brake
from .delivery_buffer import DeliveryBuffer
from .holdings import Holdings
from .nacked import Nacked
from .oversize import set_aside
from .starts import Places, Starts
from .statistics import SubscriptionStatistics, look_at
from .topic_watch import TopicWatch
from .unpacking import Unpacker

CHUNK_MESSAGES = 500
"""Records that one poll returns at most: at 500 the cost per call is 2 ns a record, and chunks stay small beside the buffer."""
MAX_REVOKE_SECONDS = 10.0
"""What others in the group wait for at most when a partition leaves us."""
POLL_SECONDS = 0.1
"""How long one poll waits for records; a close is noticed as soon."""
STORE_SECONDS = 0.05
"""Between looks at what has settled: 20 times a commit interval of one second."""
LOOK_AGAIN_SECONDS = 0.02
"""Between looks at the books while a revoke waits; flushes wake it at once, a chain that returns tells nobody."""
GROUP_MOVES = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.STALE_MEMBER_EPOCH,
    }
)
"""Why a commit is refused while the group shares out anew: librdkafka commits what is stored when the revoke comes, if it can."""

FINAL = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError._FATAL})
"""What ends a subscription: no right to read, or a client that is at its end; the last does not call itself fatal in a poll."""

Rebalanced = Callable[[Consumer, list[TopicPartition]], None]


class PollLoop:
    """One consumer's life; `run` is the body of its thread.

    Args:
        consumer: made for this loop; nobody else uses it.
        holdings: the partitions that it has.
        buffer: where messages go.
        nacked: messages that wait for another delivery outside a router.
        listener: told of assignments, or `None`.
        config: group protocol, bounds and times.
        watch: hears of errors and of the first record.
        stall: hears of the consumer's brokers.
        settled: set by whoever settles something; a revoke waits for it.
    """

    def __init__(
        self,
        consumer: Consumer,
        holdings: Holdings,
        buffer: DeliveryBuffer,
        nacked: Nacked,
        listener: AssignmentListener | None,
        config: KafkaSubscriberConfig,
        watch: ConnectionWatch,
        stall: StallWatch,
        settled: threading.Event,
    ) -> None:
        self._consumer = consumer
        self._holdings = holdings
        self._buffer = buffer
        self._nacked = nacked
        self._listener = listener
        self._config = config
        self._watch = watch
        self._stall = stall
        self._is_incremental = config.group_protocol == "consumer" or config.assignment_strategy == "cooperative-sticky"
        self._revoke_seconds = revoke_seconds(config)
        self._settled = settled
        self._brake = Brake(
            consumer, holdings, buffer, pause_after=config.pause_after, max_pending_bytes=config.max_pending_bytes
        )
        self._is_dry = False
        """Whether a poll has found nothing since the outage began."""
        self._next_store = 0.0
        self._topic_watch = TopicWatch(consumer, holdings, config, watch)
        self._standstill = StandstillWatch(config.warn_after)
        self._unpacker = Unpacker(holdings, self._record_error, self._rewound)
        self._starts = Starts(config, self._revoke_seconds)
        self._has_joined = False
        self._is_lost_for_a_start = False
        """Whether partitions were assigned and nobody said where they begin."""
        self._is_out = False
        """Whether we have left the group to join it again."""
        self._failure: MillstreamError | None = None
        """What went wrong in a callback."""
        self.is_committed = True
        """Whether the last commit worked that was waited for."""
        self._is_closing = False

    def close(self) -> None:
        """End the loop: commit what is settled and leave the group. From any thread; returns at once."""
        self._is_closing = True

    def statistics(self) -> SubscriptionStatistics:
        """Return how far it is. From any thread."""
        return SubscriptionStatistics(
            topic=self._holdings.topic,
            buffered_messages=self._buffer.messages,
            buffered_bytes=self._buffer.bytes,
            is_paused=self._brake.is_on,
            outage=self._watch.outage,
            partitions=look_at(list(self._holdings.books.values())),
        )

    def run(self) -> bool:
        """Poll until closed; returns False when the client is stalled: it has to be replaced, and this loop abandoned.

        Raises:
            ConfigurationError, HaltedError: what only people can mend.
            MillstreamError: the client failed; its own exceptions never come out, as some break whoever logs them (in their
                `__context__` stands something that is no exception).
        """
        try:
            return self._run()
        except KafkaException as error:
            failure = self._failed(error)
        raise failure

    def abandon(self) -> None:
        """Take every partition for lost, without a word to the brokers. After a `run` that returned False; nothing may follow."""
        self._lost(self._consumer, [TopicPartition(self._holdings.topic, each) for each in self._holdings.books])
        # Neither may keep this loop, and by it the client, whose end belongs to whoever lets go of the loop.
        self._consumer.subscribe([self._holdings.topic])  # without callbacks
        del self._unpacker

    def _failed(self, error: KafkaException) -> MillstreamError:
        reason = hide(str(error.args[0]), self._config.secrets)
        return MillstreamError(f"the Kafka consumer of topic {self._holdings.topic!r} failed: {reason}")

    def _run(self) -> bool:
        consumer, is_stalled = self._consumer, False
        if not self._has_joined:  # a second time would give up what is ours
            self._join()
        try:
            while not self._is_closing:
                self._step()
                if self._stall.is_cut_off and self._stall.is_stalled(consumer, MONOTONIC.now()):
                    is_stalled = True
                    return False
            self._store()
            self._commit(consumer)
        finally:
            if not is_stalled:
                self._is_closing = True
                self._end(consumer)
        return True

    def _end(self, consumer: Consumer) -> None:
        try:
            self._leave(consumer)
        finally:
            consumer.close()
            self._holdings.remove(list(self._holdings.books.values()))

    def _join(self) -> None:
        self._has_joined = True
        self._consumer.subscribe(
            [self._holdings.topic],
            on_assign=self._guarded(self._assigned),
            on_revoke=self._guarded(self._revoked),
            on_lost=self._guarded(self._lost),
        )

    def _guarded(self, callback: Rebalanced) -> Rebalanced:
        """Keep the client's exceptions inside *callback*: out of a poll they come as something that nobody can catch."""

        def guarded(consumer: Consumer, partitions: list[TopicPartition]) -> None:
            try:
                callback(consumer, partitions)
            except KafkaException as error:
                self._failure = self._failed(error)

        return guarded

    def _leave(self, consumer: Consumer) -> None:
        """Give everything up before the client closes.

        When a rebalance has begun and its revoke was not answered yet, librdkafka's close does not wait for the answer: a
        commit in there then aborts the process, and giving the partitions up may never return. Once unsubscribed there is no
        rebalance to begin. A static member would leave its group by that: it only answers what waits.
        """
        if self._config.group_instance_id is not None:
            consumer.consume(CHUNK_MESSAGES, 0.0)
            return
        consumer.unsubscribe()
        deadline = MONOTONIC.now() + self._revoke_seconds
        while self._holdings.books and MONOTONIC.now() < deadline:
            consumer.consume(CHUNK_MESSAGES, POLL_SECONDS)

    def _step(self) -> None:
        failure = self._failure or self._watch.failure
        if failure is not None:
            raise failure
        if self._is_lost_for_a_start or self._is_out:
            self._join_again()
        messages, size, largest = self._unpacker.unpack(self._consumer.consume(CHUNK_MESSAGES, POLL_SECONDS))
        if self._watch.is_in_contact:
            self._is_dry = False
        else:
            self._look_for_contact(bool(messages))
        if messages:
            if largest > self._config.max_message_bytes:
                messages = set_aside(messages, self._config.max_message_bytes)
            self._buffer.put(messages, size)
        now = MONOTONIC.now()
        self._topic_watch.look(now, has_partitions=bool(self._holdings.books))
        if now >= self._next_store or not messages or self._brake.is_any_full:
            self._store()
            self._brake.hold_back_full_partitions()
            self._standstill.look(self._holdings.books.values(), now)
            self._next_store = now + STORE_SECONDS
        self._brake.keep_bound()

    def _look_for_contact(self, has_messages: bool) -> None:
        """Take records as a sign of life, in an outage only once nothing can be left that was fetched before it."""
        if not has_messages:
            self._is_dry = True
        elif self._is_dry or not self._watch.outage:
            self._watch.on_contact()

    def _rewound(self, old: Assignment, new: Assignment) -> None:
        self._forget([old])
        if self._listener is not None:
            self._listener.lost([old])
            self._listener.assigned([new])

    def _record_error(self, error: KafkaError) -> None:
        topic, code = self._holdings.topic, error.code()
        if code in UNKNOWN_TOPIC:
            self._topic_watch.on_unknown()
            return
        text = hide(error.str(), self._config.secrets)
        if code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise out_of_range(topic)
        if code in FINAL or error.fatal():
            raise ConfigurationError(f"topic {topic!r}, group {self._config.group_id!r}: {text}")
        logger.bind(topic=topic, error=text).warning("Kafka reports an error, going on")

    def _store(self, books: Sequence[OffsetBook] | None = None) -> None:
        """Hand librdkafka what may be committed. It refuses partitions that are not ours and never moves backwards."""
        moved = self._holdings.advance(books)
        places = [TopicPartition(self._holdings.topic, *each) for each in moved.items()]
        if not self._store_offsets(places):
            self._holdings.forget_stored(moved)

    def _store_offsets(self, places: list[TopicPartition]) -> bool:
        try:
            if places:
                self._consumer.store_offsets(offsets=places)
        except KafkaException as error:
            logger.bind(topic=self._holdings.topic, error=str(error)).debug(
                "offsets not stored, the partition is going"
            )
            return False
        return True

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        starts = self._starts.of(consumer, partitions, lambda: self._is_closing)
        if starts is None:
            self._is_lost_for_a_start = True
            starts = Places([], [])
        elif partitions and not self._watch.is_in_contact:
            self._watch.on_contact()
        made = self._holdings.add(each.partition for each in starts.all)
        if self._listener is not None and made:
            self._listener.assigned(made)
        if self._is_incremental:
            consumer.incremental_assign(starts.all)
        else:
            consumer.assign(starts.all)
        self._brake.welcome(starts.all)
        self._store_offsets(starts.ends)

    def _join_again(self) -> None:
        """Leave the group and, once every partition has gone, come back: nobody said where our partitions begin."""
        if self._is_lost_for_a_start:
            self._is_lost_for_a_start, self._is_out = False, True
            logger.bind(topic=self._holdings.topic, group=self._config.group_id).warning(
                "the brokers do not tell the committed offsets, joining the group again"
            )
            self._consumer.unsubscribe()
        elif not self._holdings.books:
            self._is_out = False
            self._join()

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        deadline = MONOTONIC.now() + self._revoke_seconds
        books = self._holdings.of(each.partition for each in partitions)
        gone = [book.assignment for book in books]
        assigned = [each for each in partitions if each.partition in self._holdings.books]
        for assignment in gone:
            assignment.is_closing = True
        self._forget(gone)
        if self._listener is not None and gone and not self._is_closing:
            self._listener.revoked(gone, deadline)
        for book in books:
            book.discard_unstarted()
        if not self._is_closing:
            self._wait_for(books, deadline)
        self._store(books)
        if not self._is_closing and not self._watch.outage:  # else librdkafka alone commits what is stored, as they go
            self._commit(consumer)
        self._holdings.remove(books)
        self._brake.let_go(each.partition for each in partitions)
        if self._is_incremental:
            consumer.incremental_unassign(assigned)  # the group may have more for us than we could take
        else:
            consumer.unassign()

    def _forget(self, gone: list[Assignment]) -> None:
        """Drop what nobody has begun to handle: it comes again to whoever has the partition next."""
        self._buffer.discard(gone)
        self._nacked.discard(gone)

    def _wait_for(self, books: Sequence[OffsetBook], deadline: float) -> None:
        wait = RevokeWait(books, MONOTONIC.now(), deadline)
        while True:
            self._settled.clear()
            if wait.is_over(MONOTONIC.now()):
                return
            self._settled.wait(LOOK_AGAIN_SECONDS)

    def _commit(self, consumer: Consumer) -> None:
        try:
            answers = consumer.commit(asynchronous=False) or []
            error = next((each.error for each in answers if each.error is not None), None)
        except KafkaException as failure:
            error = failure.args[0]
        code = None if error is None else error.code()
        is_done = code in (None, KafkaError._NO_OFFSET)
        self.is_committed = is_done or code in GROUP_MOVES
        if not is_done:
            logger.bind(topic=self._holdings.topic, error=str(error)).warning(
                "offsets not committed as partitions go: what they cover may be delivered again"
            )

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        books = self._holdings.of(each.partition for each in partitions)
        gone = [book.assignment for book in books]
        self._holdings.remove(books)
        self._brake.let_go(each.partition for each in partitions)
        self._forget(gone)
        if self._listener is not None and gone:
            self._listener.lost(gone)


def revoke_seconds(config: KafkaSubscriberConfig) -> float:
    """Return how long a drain inside a revoke may take without the group giving the member up."""
    seconds = min(MAX_REVOKE_SECONDS, config.max_poll_interval / 5)
    return min(seconds, config.session_timeout / 2) if config.group_protocol == "classic" else seconds
