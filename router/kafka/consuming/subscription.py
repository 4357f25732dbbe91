"""What a Kafka subscriber returns: the receiving side of one consumer, which a thread of its own polls."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from confluent_kafka import Consumer, KafkaError
from loguru import logger

from ...clock import MONOTONIC
from ...delivery.assignment import Assignment
from ...delivery.message import Message
from ...delivery.offset_book import OffsetBook
from ...delivery.run import Entry, messages_of
from ...errors import ConfigurationError, UndrainedError
from ...protocols import AssignmentListener
from ...worker_thread import WorkerThread
from ..client import open_client
from ..config import KafkaSubscriberConfig
from ..connection import ConnectionWatch
from ..properties import subscriber_properties
from ..stall import StallWatch
from .errors import InstanceInUse
from .inbox import Inbox
from .owned_partitions import OwnedPartitions
from .poll_loop import PollLoop, WatchedConsumer
from .recipient import Recipient
from .statistics import SubscriptionStatistics
from .topic_identity import TopicIdentity
from .topic_ids import TopicIds

if TYPE_CHECKING:
    from loguru import Logger

CLOSE_SECONDS = 10.0
"""How long leaving the group may take: the last commit and one request to the coordinator."""
RELEASE_SECONDS = 1.0
"""Before the group is asked again to take in a static member whose earlier self it has not given up yet."""
LOOK_SECONDS = 0.1
"""How soon a close is noticed meanwhile."""


class KafkaSubscription:
    """The messages of one topic that one member of a consumer group gets; see `Subscription`.

    Raises:
        ConfigurationError: librdkafka refuses a property.
    """

    def __init__(self, topic: str, config: KafkaSubscriberConfig, listener: AssignmentListener | None) -> None:
        self._topic = topic
        self._config = config
        self._inbox = Inbox(config)
        self._recipient = Recipient(listener)
        self._owned = OwnedPartitions(topic, config.max_pending, self._assignment)
        self._watch = ConnectionWatch(config)
        self._topic_ids = TopicIds(topic, config)
        self._identity = TopicIdentity(topic, config, self._topic_ids)
        self._closes_at = math.inf
        self._is_told = False
        """Whether somebody was told that it did not close in order."""
        self._refused_after: int | None = None
        """The last epoch before it was refused as a static member."""
        self._loop = self._open_loop()
        self._thread = WorkerThread(f"kafka-poll-{topic}", self._run)
        self._thread.start()

    def _open_loop(self) -> PollLoop:
        open_consumer = partial(_open_consumer, self._config)
        stall = StallWatch(lambda: open_consumer(lambda _: None))
        consumer = open_consumer(self._watch.on_error, stall.on_statistics)
        client = WatchedConsumer(consumer, self._watch, stall, self._identity)
        return PollLoop(client, self._owned, self._inbox, self._recipient, self._config)

    def _assignment(self, partition: int, epoch: int) -> Assignment:
        wake, redeliver = self._recipient.wake, self._inbox.redeliveries.add
        return Assignment(self._topic, partition, epoch, wake=wake, redeliver=redeliver)

    def _run(self) -> None:
        try:
            while not self._run_loop():
                pass
        except BaseException as error:
            self._inbox.buffer.fail(error)
            raise
        finally:
            self._topic_ids.close()
        self._inbox.buffer.close()

    def _run_loop(self) -> bool:
        """Run one client to its end; returns whether that was the last."""
        try:
            if self._loop.run():
                return True
        except InstanceInUse as refusal:
            self._say_refused(str(refusal))
            return not self._is_released()
        self._replace_loop()
        return False

    def _say_refused(self, reason: str) -> None:
        """Say so once, until partitions were ours again."""
        if self._refused_after != self._owned.epoch:
            self._refused_after = self._owned.epoch
            logger.bind(topic=self._topic, group=self._config.group_id, instance=self.instance_id).warning(
                "the group has a member of this instance id already: waiting until its session is over, or for ever where another"
                " process runs with the same one: {reason}",
                reason=reason,
            )

    def _is_released(self) -> bool:
        """Wait a while, and open another client; returns False when it is to close first."""
        pause, log = threading.Event(), logger.bind(topic=self._topic, group=self._config.group_id)
        while True:
            again_at = MONOTONIC.now() + RELEASE_SECONDS
            while (left := again_at - MONOTONIC.now()) > 0 and not self._is_closing:
                pause.wait(min(left, LOOK_SECONDS))
            if self._is_closing:
                return False
            loop = self._opened(log)
            if loop is not None:
                self._go_on_with(loop)
                return True

    def _replace_loop(self) -> None:
        """Go on with a new client in place of one that is stalled; what it had comes again."""
        log = logger.bind(topic=self._topic, group=self._config.group_id)
        loop = self._opened(log)
        if loop is None:
            return
        log.warning("the Kafka client reaches no broker while others do: going on with a new one")
        abandoned = [self._loop]
        self._go_on_with(loop)
        abandoned[0].abandon()
        # The last to refer to the old client ends it, which may take seconds.
        WorkerThread(f"kafka-abandoned-{self._topic}", abandoned.clear).start()

    def _opened(self, log: Logger) -> PollLoop | None:
        try:
            return self._open_loop()
        except ConfigurationError as error:  # the same settings have opened one before: a token that does not come
            log.warning("the Kafka client cannot be replaced yet: {reason}", reason=str(error))
            return None

    def _go_on_with(self, loop: PollLoop) -> None:
        self._loop = loop
        if self._is_closing:
            loop.close()

    @property
    def _is_closing(self) -> bool:
        return self._closes_at < math.inf

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Return the next chunk; see `Subscription.receive`. Raises what the poll thread died of."""
        entries = self._inbox.receive(max_messages, timeout)
        if self._inbox.takes_runs:  # by somebody before
            entries = [each for entry in entries for each in messages_of(entry)]
        return cast("list[Message]", entries)

    def receive_entries(self, max_messages: int, timeout: float) -> list[Entry]:
        """Return the next chunk, from the second call on in runs; see `DeliversRuns`."""
        self._inbox.takes_runs = True
        return self._inbox.receive(max_messages, timeout)

    def statistics(self) -> SubscriptionStatistics:
        """Return how far it is: what waits, and what is pending in each partition. Asks no broker; from any thread."""
        return self._loop.statistics()

    @property
    def books(self) -> list[OffsetBook]:
        """The offset books of its partitions, to look at; its poll thread brings them up to date several times a second."""
        return list(self._owned.books.values())

    @property
    def error(self) -> BaseException | None:
        """What its poll thread died of: while nobody receives, nobody would hear of it."""
        return self._thread.error

    @property
    def instance_id(self) -> str | None:
        """The instance id of this member; `None`: it is not static."""
        return self._config.group_instance_id

    @property
    def is_open(self) -> bool:
        """Whether it is in its group, or on its way in or out."""
        return self._thread.is_alive

    def begin_close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Begin to close and return at once, so that several can leave their groups side by side, in *seconds* altogether."""
        self._closes_at = min(self._closes_at, MONOTONIC.now() + seconds)
        self._loop.close()

    def close(self) -> None:
        """Commit what is settled and leave the group; returns when that is done. May be called twice.

        Raises:
            UndrainedError: it was not done in time, or the commit failed; what it covers is delivered again. The first time only.
        """
        self.begin_close()
        has_left = self._thread.join(self._closes_at)
        is_done = self._thread.error is not None or (has_left and self._loop.is_committed)
        if not is_done and not self._is_told:
            self._is_told = True
            name = self._thread.name
            raise UndrainedError([name], CLOSE_SECONDS, {name: self._watch.outage})


def _open_consumer(
    config: KafkaSubscriberConfig,
    on_error: Callable[[KafkaError], None],
    on_statistics: Callable[[str], None] | None = None,
) -> Consumer:
    return open_client(Consumer, config, subscriber_properties(config), on_error, on_statistics)
