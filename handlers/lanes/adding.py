"""`add_lanes`: the lanes of the settings beside the handlers of one's own.

Everything they need is opened with the call and closed by the router: a worker of its own stands behind the batchers, so that
the store is closed once they have drained.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Sequence

import msgspec

from millstream.handlers.events import EventConsumptionService
from millstream.handlers.events.service import LAST_INSERT_SECONDS
from millstream.handlers.settings.sections import Settings
from millstream.router import MONOTONIC, Assignment, KafkaPublisher, Router

from .attacher import LaneAttacher, RunningLane
from .parts import CLOSE_SECONDS, make_service, opened_repository, refuse_missing


def add_lanes(router: Router, settings: Settings) -> AddedLanes:
    """Consume the enabled lanes of *settings* on *router*, as `millstream run` does; the router closes all of it with itself.

    Opens the store, which is waited for while it cannot be reached, and asks Kafka for the topics that are written to. Call it
    where the router is made to be run, once.

    Args:
        router: not started yet. Its middleware is around the lanes' handlers as well; `FailurePolicy` poisons what is no event.
        settings: such as `load_settings()` returns them.

    Returns:
        What the lanes have done so far.

    Raises:
        ConfigurationError: no lane is enabled, a topic or the table is missing, or the store refuses us.
        HaltedError: no INSERT into this store could be safe.
    """
    attacher = LaneAttacher(settings, ())
    topics = attacher.topics_to_publish()
    config = msgspec.structs.replace(settings.kafka.publisher_config(), close_timeout=CLOSE_SECONDS)
    refuse_missing(topics, config)
    with contextlib.ExitStack() as stack:
        repository = stack.enter_context(opened_repository(settings))
        publisher = KafkaPublisher(config) if topics else None
        if publisher is not None and not any(setting.endswith("topic_dlq") for setting in topics):
            stack.callback(publisher.close)  # one that poison records go through is closed by the router, after them
        service = make_service(settings, repository, publisher)
        lanes = list(attacher.attach(service, router, publisher))
        added = AddedLanes(lanes, service, stack.pop_all())
    router.add_worker(added)
    return added


class AddedLanes:
    """The lanes of one router, which closes their store through it: a `Worker` without a thread.

    Args:
        lanes: attached.
        service: behind all of them.
        opened: what is closed at the end.
    """

    name = "store"
    error: BaseException | None = None

    def __init__(
        self, lanes: Sequence[RunningLane], service: EventConsumptionService, opened: contextlib.ExitStack
    ) -> None:
        self.lanes = lanes
        self.service = service
        """Its `stats` and `outage` say how far it is."""
        self._opened = opened
        self._closing = threading.Lock()
        # A second signal ends the process without a drain, and an embedded engine must not be taken down inside an INSERT.
        atexit.register(self._close, LAST_INSERT_SECONDS)

    def start(self) -> None:
        """Do nothing: the store is open."""

    def seal(self, assignments: Sequence[Assignment], deadline: float) -> None:
        """Do nothing: the batchers flush."""

    def drain(self, deadline: float) -> bool:
        """Close the store, once no INSERT is under way; returns whether that was so before *deadline*."""
        return self._close(max(0.0, deadline - MONOTONIC.now()))

    def abandon(self, assignments: Sequence[Assignment]) -> None:
        """Do nothing: rows are the batchers'."""

    def _close(self, timeout: float) -> bool:
        with self._closing:  # the end of the process waits for a drain that is about to close the engine
            has_ended = self.service.stop_inserts(timeout)
            if has_ended:
                atexit.unregister(self._close)
                self._opened.close()
            return has_ended
