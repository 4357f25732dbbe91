"""One process of `millstream run`: the enabled lanes on one router, from Kafka into the store."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import msgspec
from loguru import logger

from millstream.handlers.events import EventConsumptionService, EventRepository, PostProcessor
from millstream.handlers.settings.sections import Settings
from millstream.handlers.store import StoreMisconfigured, open_store
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import (
    ConfigurationError,
    ExitCode,
    HaltedError,
    KafkaPublisher,
    Router,
    RouterConfig,
    SignalsHandler,
    TransientError,
)
from millstream.router.kafka.admin import KafkaAdmin

from ..gc_tuning import tune_gc
from .catch_up import CatchUp
from .lanes import LaneAttacher, RunningLane
from .report import Report, Snapshot
from .waiting import open_patiently

CLOSE_SECONDS = 0.1
"""What closing the publisher may wait for confirmations: whoever published has waited for them."""


class Consumer:
    """Consumes until a signal, an error or, with *once*, the end of what there was at its start.

    Args:
        settings: lanes, store, brokers and all else.
        brokers: win over those of the settings.
        instance: makes static members of the groups; `None`: as the settings say.
        interval: seconds between two lines that say how far it is.
        once: end when the lag at the start is consumed.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        brokers: Sequence[str] = (),
        instance: str | None = None,
        interval: float = 30.0,
        once: bool = False,
    ) -> None:
        self._settings = settings
        self._attacher = LaneAttacher(settings, brokers, instance)
        self._publisher_config = msgspec.structs.replace(
            settings.kafka.publisher_config(brokers), close_timeout=CLOSE_SECONDS
        )
        self._interval = interval
        self._once = once
        self._lanes: list[RunningLane] = []

    def run(self) -> ExitCode:
        """Run; blocks until the end. Raises what stopped the router."""
        topics = self._attacher.topics_to_publish()
        self._refuse_missing(topics)
        with contextlib.ExitStack() as stack:
            repository = stack.enter_context(self._repository())
            publisher = KafkaPublisher(self._publisher_config) if topics else None
            if publisher is not None:
                stack.callback(publisher.close)
            service = self._service(repository, publisher)
            router = self._router()
            self._lanes = list(self._attacher.attach(service, router, publisher))
            if self._settings.clickhouse.address.folder is not None:
                stack.callback(service.stop_inserts)
            tune_gc()
            self._run(router, service)
        return ExitCode.POISONED if self._once and self._poisoned() else ExitCode.CLEAN

    def _run(self, router: Router, service: EventConsumptionService) -> None:
        with contextlib.ExitStack() as stack:
            catch_up = CatchUp(self._lanes, self._attacher) if self._once else None
            if catch_up is not None:
                stack.callback(catch_up.close)
            stack.enter_context(Report(lambda: self._snapshot(service), self._interval))
            router.start()
            if catch_up is not None:
                catch_up.wait(lambda: not router.is_running)
                router.request_close()
            router.wait_closed()

    def _router(self) -> Router:
        router = Router(RouterConfig(close_timeout=self._settings.router.close_timeout))
        router.add_plugin(SignalsHandler())
        router.add_middleware(CorrelationID(), FailurePolicy(retry=self._settings.retry.make_retry()))
        return router

    def _service(self, repository: EventRepository, publisher: KafkaPublisher | None) -> EventConsumptionService:
        topic = self._settings.post_processing.topic
        processor = None if publisher is None or topic is None else PostProcessor(publisher, topic)
        return EventConsumptionService(repository, batch_config=self._settings.batch, post_processor=processor)

    @contextlib.contextmanager
    def _repository(self) -> Iterator[EventRepository]:
        clickhouse = self._settings.clickhouse
        is_embedded = clickhouse.address.folder is not None
        store = open_patiently(
            lambda: open_store(
                clickhouse.address, database=clickhouse.database, insert_deadline=clickhouse.insert_deadline
            )
        )
        with contextlib.closing(store):
            repository = EventRepository(
                store, database=clickhouse.database, table=clickhouse.table, billing=self._settings.billing
            )
            try:
                repository.prepare(create=is_embedded)
            except StoreMisconfigured as error:
                # Not a slip of the command's own configuration: safety itself cannot be had from this server.
                raise HaltedError(str(error)) from error
            yield repository

    def _refuse_missing(self, topics: dict[str, str]) -> None:
        """End before anything is consumed where a poison record, or post-processing, could go nowhere."""
        admin = KafkaAdmin(self._publisher_config)
        for setting, topic in topics.items():
            try:
                count = admin.count_partitions(topic)
            except TransientError as error:
                logger.bind(topic=topic, reason=str(error)).warning("not looked at before the start: nobody answers")
                return
            if count is None:
                more = ", or set it to 'none' or 'drop'" if setting.endswith("topic_dlq") else ""
                raise ConfigurationError(f"{setting}: there is no topic {topic!r}: create it{more}")

    def _poisoned(self) -> int:
        return sum(lane.handler.poisoned for lane in self._lanes)

    def _snapshot(self, service: EventConsumptionService) -> Snapshot:
        stats = service.stats
        pending = sum(
            partition.pending
            for lane in self._lanes
            for subscription in lane.subscriber.statistics()
            for partition in subscription.partitions
        )
        return Snapshot(
            stored=stats.events,
            inserts=stats.inserts,
            poisoned=self._poisoned(),
            pending=pending,
            post_process_errors=stats.post_process_errors,
            store_down=service.outage.seconds,
        )
