"""The event consumption service: batching handlers for the lanes of a router."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from millstream.handlers.batching import (
    BatchConfig,
    BatcherStatistics,
    BatchMessage,
    BatchResult,
    Budget,
    InsertGate,
    MessageBatcher,
    ProcessBatch,
)
from millstream.router import MONOTONIC, Clock, Handler, HandlerFunc, Message, Publisher, Router, Subscriber
from millstream.router.poison import Poison

from .bulk import DecodedBatch, add_unheld, all_bad, decode_event_batch
from .consumption import BatchConsumption, ConsumptionStats
from .decode import DEFAULT_MAX_MESSAGE_BYTES, decode_event
from .decode_many import decode_events
from .in_flight import with_in_flight
from .lanes import BULK, LAZY, REGULAR, REPLAY, Lane, LaneConfig, UnheldFunc
from .outage import Outage
from .post_processing import PostProcessor
from .repository import EventRepository

HANDLERS = {
    "batcher": "event_consumption_handler",
    "batcher-lazy": "event_consumption_lazy_handler",
    "batcher-replay": "event_consumption_replay_handler",
    "batcher-bulk": "bulk_event_consumption_handler",
}
"""What the handler of each batcher is called."""
LAST_INSERT_SECONDS = 0.75
"""What the INSERT in hand may take when the router has given up: half of what a second signal has in all."""


class EventConsumptionService:
    """Consumes usage events: one large INSERT for many messages instead of one for each.

    The batching handlers parse a message, hand it to the batcher of their lane and return, so the router goes on at once; the
    message is committed only after its row is in the store. All other lanes yield to the regular one.

    Args:
        repository: where events go.
        batch_config: for each batcher, and of all together its `max_pending_bytes`; it counts events, also of bulk messages.
        post_processor: told of every stored event; `None` tells nobody.
        max_message_bytes: a larger payload goes to the poison sink undecoded.
        clock: what tells the time.

    Example:
        >>> from millstream.handlers.testing import FakeStore
        >>> service = EventConsumptionService(EventRepository(FakeStore()))
        >>> service.register_handler(Router(), InMemoryPubSub(), poison="drop")
        <Handler 'event_consumption_handler' on 'events'>
    """

    def __init__(
        self,
        repository: EventRepository,
        *,
        batch_config: BatchConfig | None = None,
        post_processor: PostProcessor | None = None,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        clock: Clock = MONOTONIC,
    ) -> None:
        self.repository = repository
        self._max_message_bytes = max_message_bytes
        self._consumption = BatchConsumption(post_processor, clock)
        self.batch_config = with_in_flight(batch_config, repository.store, tells_others=self._consumption.tells_others)
        self._unbilled = repository.without_billing()
        self._clock = clock
        self._gate = InsertGate(self.batch_config.at_once)
        self._budget = Budget(self.batch_config.max_pending_bytes)
        self._regular = self._lane(REGULAR, self.process_message_with_batching, "batcher", rank=0)
        self._lazy = self._lane(LAZY, self.process_message_with_batching_lazy, "batcher-lazy")
        self._replay = self._lane(REPLAY, self.process_message_with_batching_replay, "batcher-replay")
        self._bulk = self._lane(
            BULK,
            self.process_bulk_message_with_batching,
            "batcher-bulk",
            process=self.process_bulk_batch,
            unheld=self._process_bulk_unheld,
        )
        self.message_batcher = self._regular.batcher
        self.lazy_message_batcher = self._lazy.batcher
        self.replay_message_batcher = self._replay.batcher
        self.bulk_message_batcher = self._bulk.batcher

    @property
    def stats(self) -> ConsumptionStats:
        """What was stored, refused and published so far."""
        return self._consumption.stats

    def statistics(self) -> dict[str, BatcherStatistics]:
        """Return what the batcher of each lane that has started has, and how far it is, by the name of its handler."""
        batchers = (
            self.message_batcher,
            self.lazy_message_batcher,
            self.replay_message_batcher,
            self.bulk_message_batcher,
        )
        told = {HANDLERS[each.name]: each.statistics() for each in batchers}
        return {name: each for name, each in told.items() if each.state != "not started"}

    def register_handler(
        self,
        router: Router,
        subscriber: Subscriber,
        *,
        lane: LaneConfig | None = None,
        poison: Poison | None = None,
        publisher: Publisher | None = None,
    ) -> Handler | None:
        """Consume the regular lane on *router*; its batcher is started and drained by the router.

        Args:
            router: not started yet.
            subscriber: delivers the lane's topic.
            lane: its settings, such as those of `load_settings()`; `None`: the default ones, with the group of *subscriber*.
            poison: the poison sink; by default what `lane.topic_dlq` says.
            publisher: sends to the topic that `lane.topic_dlq` names.

        Returns:
            The handler; `None` where *lane* is not enabled: then nothing is registered.

        Raises:
            ConfigurationError: `topic_dlq` names a topic, but neither *publisher* nor *poison* was given; or *subscriber* is in
                another group than `lane.consumer_group`.
        """
        return self._regular.attach(router, subscriber, lane, poison=poison, publisher=publisher)

    def register_handler_lazy(
        self,
        router: Router,
        subscriber: Subscriber,
        *,
        lane: LaneConfig | None = None,
        poison: Poison | None = None,
        publisher: Publisher | None = None,
    ) -> Handler | None:
        """Consume the lazy lane on *router*; see `register_handler`."""
        return self._lazy.attach(router, subscriber, lane, poison=poison, publisher=publisher)

    def register_handler_replay(
        self,
        router: Router,
        subscriber: Subscriber,
        *,
        lane: LaneConfig | None = None,
        poison: Poison | None = None,
        publisher: Publisher | None = None,
    ) -> Handler | None:
        """Consume the replay lane, of events that are sent once more, on *router*; see `register_handler`."""
        return self._replay.attach(router, subscriber, lane, poison=poison, publisher=publisher)

    def register_bulk_handler(
        self,
        router: Router,
        subscriber: Subscriber,
        *,
        lane: LaneConfig | None = None,
        poison: Poison | None = None,
        publisher: Publisher | None = None,
    ) -> Handler | None:
        """Consume the bulk lane, of messages that bring many events each, on *router*; see `register_handler`.

        No billing rows are written for it. Of a message with bad events the good ones are stored, and its poison record holds
        the bad ones only.
        """
        return self._bulk.attach(router, subscriber, lane, poison=poison, publisher=publisher)

    def process_message_with_batching(self, message: Message) -> None:
        """Parse *message*, hand it to the regular batcher, and return; a `HandlerFunc`.

        Raises:
            InvalidEvent, MessageTooLarge: the message is no event; it belongs into the poison sink.
        """
        event = decode_event(message.payload, max_message_bytes=self._max_message_bytes)
        self.message_batcher.add(BatchMessage(message, event))

    def process_message_with_batching_lazy(self, message: Message) -> None:
        """Parse *message*, hand it to the lazy batcher, and return; see `process_message_with_batching`."""
        # Written out again: code that the lanes share would be one more call per message.
        event = decode_event(message.payload, max_message_bytes=self._max_message_bytes)
        self.lazy_message_batcher.add(BatchMessage(message, event))

    def process_message_with_batching_replay(self, message: Message) -> None:
        """Parse *message*, hand it to the batcher of the replay lane, and return; see `process_message_with_batching`."""
        event = decode_event(message.payload, max_message_bytes=self._max_message_bytes)
        self.replay_message_batcher.add(BatchMessage(message, event))

    def process_bulk_message_with_batching(self, message: Message) -> None:
        """Parse the events of a bulk *message*, hand each to the bulk batcher, and return; a `HandlerFunc`.

        A bad event fails its part of the message; the others are stored.

        Raises:
            InvalidEvent, MessageTooLarge: the message is no batch of events, or has none that is valid.
        """
        content = self._decode_bulk(message)
        batcher = self.bulk_message_batcher
        # A part that the store refuses at once must not take the message to the poison sink before the others are held.
        all_parts = message.hold(self)
        try:
            batcher.add_all([BatchMessage(message, each.event, each.part, each.payload) for each in content.good])
            content.fail_bad(message, batcher)
        finally:
            all_parts.release()

    def process_batch(self, batch: Sequence[BatchMessage]) -> BatchResult | None:
        """Store the events of *batch*, and their billing rows, with one INSERT; then tell post-processing.

        Called again with the same `Batch` after an error, it goes on where it stopped.

        Returns:
            `None` when all is done, else the error of each message that cannot be: refused by the store, or stored but not
            confirmed by post-processing.

        Raises:
            TransientError: not everything is known to be done; call again with the same batch.
            ConfigurationError: the store refuses because of its configuration.
        """
        return _outcome(self._consumption.process(batch, self.repository))

    def process_bulk_batch(self, batch: Sequence[BatchMessage]) -> BatchResult | None:
        """Store the events of *batch* without billing rows; else as `process_batch`."""
        return _outcome(self._consumption.process(batch, self._unbilled))

    @property
    def outage(self) -> Outage:
        """Whether the store is away, since when and why."""
        return self._consumption.outage

    def stop_inserts(self, timeout: float | None = LAST_INSERT_SECONDS) -> bool:
        """Let no batch follow the INSERT in hand, and wait for that; returns False when it has not ended in *timeout* seconds.

        For the end of a process that may not have waited for its router: most INSERTs into an embedded store end in that time,
        and what is stored is not stored again. One that does not would take the process down: end it inside `exit_on_error`.

        Args:
            timeout: `None`: as long as it takes.
        """
        return self._gate.close(timeout)

    def process_message(self, message: Message) -> None:
        """Store the event of one message with an INSERT of its own, and return once it is stored: the old way.

        Kept to be compared with; no handler is attached to it. Raises what `process_message_with_batching` and
        `process_batch` raise, and `DataError` when the store refuses the event.
        """
        event = decode_event(message.payload, max_message_bytes=self._max_message_bytes)
        result = self.process_batch([BatchMessage(message, event)])
        if result is not None:
            raise result.failures[0]

    def process_raw_event(self, payload: bytes) -> None:
        """Store one event that came without a broker, such as in a function service; see `process_message`."""
        self.process_message(Message(payload, uuid=""))

    def _lane(
        self,
        default: LaneConfig,
        function: HandlerFunc,
        name: str,
        *,
        rank: int = 1,
        process: ProcessBatch | None = None,
        unheld: UnheldFunc | None = None,
    ) -> Lane:
        process, told = process or self.process_batch, self._consumption.post_processor
        batcher = MessageBatcher(
            self.batch_config, process, name=name, gate=self._gate, rank=rank, budget=self._budget, clock=self._clock
        )
        if unheld is not None:
            return Lane(HANDLERS[name], function, batcher, unheld, default, told)
        keeps = self.repository.billing is not None or self._consumption.tells_others
        decode = partial(decode_events, max_message_bytes=self._max_message_bytes, keeps_events=keeps)
        return Lane(HANDLERS[name], function, batcher, self._process_unheld, default, told, decode)

    def _process_unheld(self, batcher: MessageBatcher, message: Message) -> None:
        event = decode_event(message.payload, max_message_bytes=self._max_message_bytes)
        batcher.add_unheld(BatchMessage(message, event))

    def _process_bulk_unheld(self, batcher: MessageBatcher, message: Message) -> None:
        add_unheld(self._decode_bulk(message), message, batcher, self)

    def _decode_bulk(self, message: Message) -> DecodedBatch:
        content = decode_event_batch(message.payload, max_message_bytes=self._max_message_bytes).decode()
        if not content.good:
            raise all_bad(content.bad)
        return content


def _outcome(result: BatchResult) -> BatchResult | None:
    return result if result.failures or result.left else None
