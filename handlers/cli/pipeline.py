"""The main job in one process: in-memory broker, router, middleware, batching handler, store."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from millstream.handlers.batching import BatchConfig
from millstream.handlers.events import EventConsumptionService, EventRepository, LaneConfig
from millstream.middleware import CorrelationID, FailurePolicy, Retry
from millstream.router import (
    MONOTONIC,
    InMemoryConfig,
    InMemoryPubSub,
    Message,
    Router,
    RouterConfig,
    StateError,
    StormLimits,
    UndrainedError,
)
from millstream.router.poison import Poison
from millstream.router.running.router import Plugin

LANE = LaneConfig(topic="events", consumer_group="local", topic_dlq="none")
"""The lane of events that a command brings itself; its poison sink is the command's."""
BUFFER_MESSAGES = 10_000
"""Between reading and handling: enough to keep both busy, and some MB at most."""
NO_LIMITS = StormLimits(enabled=False)
"""A file ends, somebody watches the command, and whatever is set aside stays beside it: nothing need halt."""
IDLE_SECONDS = 0.05
"""How long nothing may have come in at the end before the last batch is flushed without waiting for its age."""


class Snapshot(msgspec.Struct, frozen=True):
    """How far a pipeline has come.

    Args:
        stored: events that the store has confirmed.
        poisoned: events set aside, their records safe.
        inserts: INSERT statements sent.
    """

    stored: int
    poisoned: int
    inserts: int


class LocalPipeline:
    """Takes events from the caller and stores them; nothing outlives the process but what is stored.

    Args:
        repository: where events go.
        batch: when to flush.
        poison: takes what cannot be stored.
        retry: how errors of a handler are retried; `None`: not at all.
        router: settings of the router, but for its limits: however much cannot be stored is set aside.
        plugins: such as a `SignalsHandler`.
    """

    def __init__(
        self,
        repository: EventRepository,
        *,
        batch: BatchConfig,
        poison: Poison,
        retry: Retry | None = None,
        router: RouterConfig | None = None,
        plugins: Sequence[Plugin] = (),
    ) -> None:
        self.service = EventConsumptionService(repository, batch_config=batch)
        config = RouterConfig() if router is None else router
        self.router = Router(msgspec.structs.replace(config, poison_limits=NO_LIMITS))
        self.router.add_plugin(*plugins)
        self.router.add_middleware(CorrelationID(), FailurePolicy(retry=retry))
        self._broker = InMemoryPubSub(InMemoryConfig(buffer_messages=BUFFER_MESSAGES))
        self._handler = self.service.register_handler(self.router, self._broker, lane=LANE, poison=poison)

    def start(self) -> None:
        """Start the router."""
        self.router.start()

    def publish(self, messages: Sequence[Message]) -> bool:
        """Hand *messages* over, waiting for room; returns False when the router is closing and takes no more."""
        if not self.router.is_running:
            return False
        try:
            self._broker.publish(LANE.topic, *messages)
        except StateError:
            return False
        return self.router.is_running

    def finish(self) -> None:
        """Wait until everything that was published is settled, and close. Raises what stopped the router, if anything did."""
        pause = threading.Event()
        before = -1
        is_settled = False
        while self.router.is_running:
            unread, pending = self._broker.backlog(LANE.topic)
            if not pending:
                is_settled = True
                break
            waiting = self.service.message_batcher.pending
            if not unread and waiting == before:
                self.service.message_batcher.seal((), MONOTONIC.now())
            before = waiting
            pause.wait(IDLE_SECONDS)
        try:
            self.router.close()
        except UndrainedError:
            if not is_settled:  # else only threads were late, with nothing in hand
                raise

    def snapshot(self) -> Snapshot:
        """Return how far it has come."""
        stats = self.service.stats
        return Snapshot(stats.events, self._poisoned(), stats.inserts)

    def _poisoned(self) -> int:
        return 0 if self._handler is None else self._handler.poisoned
