"""One process of `millstream run`: the enabled lanes on one router, from Kafka into the store."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import msgspec

from millstream.handlers.events import EventConsumptionService, LaneConfig
from millstream.handlers.lanes.attacher import LaneAttacher, RunningLane
from millstream.handlers.lanes.parts import (
    CLOSE_SECONDS,
    make_service,
    opened_repository,
    refuse_missing,
)
from millstream.handlers.settings.sections import Settings
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import ExitCode, KafkaPublisher, Router, RouterConfig, SignalsHandler
from millstream.router.kafka.lag import GroupLag

from ..allocator import SpareMemory
from ..gc_tuning import tune_gc
from .catch_up import CatchUp, run_to_the_end
from .report import Report, Snapshot, look_at


class Consumer:
    """Consumes until a signal, an error or, with *once*, the end of what there was at its start.

    Args:
        settings: lanes, store, brokers and all else.
        brokers: win over those of the settings.
        instance: makes static members of the groups; `None`: as the settings say.
        interval: seconds between two lines that say how far it is.
        once: end when the lag at the start is consumed.
        signals: what closes it; `None`: those that the process gets.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        brokers: Sequence[str] = (),
        instance: str | None = None,
        interval: float = 30.0,
        once: bool = False,
        signals: SignalsHandler | None = None,
    ) -> None:
        self._settings = settings
        self._attacher = LaneAttacher(settings, brokers, instance)
        self._publisher_config = msgspec.structs.replace(
            settings.kafka.publisher_config(brokers), close_timeout=CLOSE_SECONDS
        )
        self._interval = interval
        self._once = once
        self._signals = SignalsHandler() if signals is None else signals
        self._lanes: list[RunningLane] = []
        self._spare_memory = SpareMemory()

    def run(self) -> ExitCode:
        """Run; blocks until the end. Raises what stopped the router. A signal before *once* is done is no clean end."""
        topics = self._attacher.topics_to_publish()
        refuse_missing(topics, self._publisher_config)
        with contextlib.ExitStack() as stack:
            repository = stack.enter_context(opened_repository(self._settings))
            publisher = KafkaPublisher(self._publisher_config) if topics else None
            if publisher is not None:
                stack.callback(publisher.close)
            service = make_service(self._settings, repository, publisher)
            router = self._router()
            self._lanes = list(self._attacher.attach(service, router, publisher))
            if self._settings.clickhouse.address.folder is not None:
                stack.callback(service.stop_inserts)
            tune_gc()
            is_done = self._run(router, service)
        if not is_done:
            return ExitCode.UNDRAINED
        return ExitCode.POISONED if self._once and self._poisoned() else ExitCode.CLEAN

    def _run(self, router: Router, service: EventConsumptionService) -> bool:
        with contextlib.ExitStack() as stack:
            catch_up = CatchUp(self._lanes, [self._lag(lane.config) for lane in self._lanes]) if self._once else None
            if catch_up is not None:
                stack.callback(catch_up.close)
                catch_up.note_ends()
            stack.enter_context(Report(lambda: self._look(router, service), self._interval))
            return run_to_the_end(router, catch_up)

    def _look(self, router: Router, service: EventConsumptionService) -> Snapshot:
        snapshot = look_at(router.handlers.values(), service)
        self._spare_memory.note(snapshot.store_down)
        return snapshot

    def _lag(self, lane: LaneConfig) -> GroupLag:
        return GroupLag(self._attacher.subscriber_config(lane), lane.topic)

    def _router(self) -> Router:
        settings = self._settings
        router = Router(RouterConfig(close_timeout=settings.router.close_timeout, poison_limits=settings.poison))
        router.add_plugin(self._signals)
        router.add_middleware(CorrelationID(), FailurePolicy(retry=settings.retry.make_retry()))
        return router

    def _poisoned(self) -> int:
        return sum(lane.handler.poisoned for lane in self._lanes)
