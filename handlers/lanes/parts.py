"""What the lanes of the settings stand on: the store, the service behind them, and the topics that they write to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from loguru import logger

from millstream.handlers.events import EventConsumptionService, EventRepository, PostProcessor
from millstream.handlers.settings.sections import Settings
from millstream.handlers.store import StoreMisconfigured, open_store
from millstream.handlers.store.waiting import open_patiently
from millstream.router import ConfigurationError, HaltedError, KafkaPublisherConfig, Publisher, TransientError
from millstream.router.kafka.admin import KafkaAdmin

CLOSE_SECONDS = 0.1
"""What closing the publisher may wait for confirmations: whoever published has waited for them."""


@contextlib.contextmanager
def opened_repository(settings: Settings) -> Iterator[EventRepository]:
    """Open the store of the settings, and close it behind the body; waits for one that cannot be reached.

    Raises:
        ConfigurationError: it refuses us, or has no such table.
        HaltedError: no INSERT into it could be safe.
    """
    # Opening asks the server little: it may also go away before it has answered what the preparation asks.
    with contextlib.closing(open_patiently(lambda: _prepared_repository(settings))) as repository:
        yield repository


def _prepared_repository(settings: Settings) -> EventRepository:
    clickhouse = settings.clickhouse
    database, table = clickhouse.database, clickhouse.table
    with contextlib.ExitStack() as stack:
        opened = open_store(
            clickhouse.address,
            database=database,
            insert_deadline=clickhouse.insert_deadline,
            compression=clickhouse.compression,
        )
        store = stack.enter_context(contextlib.closing(opened))
        repository = EventRepository(store, database=database, table=table, billing=settings.billing)
        try:
            repository.prepare(create=clickhouse.address.folder is not None)
        except StoreMisconfigured as error:
            # Not a slip of the user's own configuration: safety itself cannot be had from this server.
            raise HaltedError(str(error)) from error
        stack.pop_all()
    return repository


def make_service(
    settings: Settings, repository: EventRepository, publisher: Publisher | None
) -> EventConsumptionService:
    """Return the service of the settings; *publisher* tells of stored events, where the settings say so."""
    topic = settings.post_processing.topic
    processor = None if publisher is None or topic is None else PostProcessor(publisher, topic)
    return EventConsumptionService(repository, batch_config=settings.batch, post_processor=processor)


def refuse_missing(topics: Mapping[str, str], config: KafkaPublisherConfig) -> None:
    """End before anything is consumed where a poison record, or post-processing, could go nowhere.

    Args:
        topics: by the setting that names them.
        config: who is asked.

    Raises:
        ConfigurationError: one is not there.
    """
    admin = KafkaAdmin(config)
    for setting, topic in topics.items():
        try:
            count = admin.count_partitions(topic)
        except TransientError as error:
            logger.warning("topic {topic} not looked at before the start: {reason}", topic=topic, reason=str(error))
            return
        if count is None:
            more = ", or set it to 'none' or 'drop'" if setting.endswith("topic_dlq") else ""
            command = migrating(config.address)
            raise ConfigurationError(f"{setting}: there is no topic {topic!r}: create it with: {command}{more}")


def migrating(brokers: str) -> str:
    """Return the command that creates what is missing of the topics that the settings of the lanes name."""
    return f"millstream migrate --topics --brokers {brokers}"
