"""The settings of the command line and of programs that want the same ones: a struct for each section that has an effect."""

from __future__ import annotations

import threading
from typing import Any

import msgspec

from millstream.handlers.batching import BatchConfig
from millstream.handlers.events import BULK, LAZY, REGULAR, REPLAY, BillingConfig, EventPublisher, LaneConfig
from millstream.handlers.store import Compression, StoreDsn, quote_identifier
from millstream.middleware import Retry
from millstream.router import ConfigurationError, Publisher, RouterConfig, StormLimits
from millstream.router.kafka.names import checked_id, checked_name
from millstream.router.typed_fields import require_types

from .kafka import KafkaConfig

DEFAULT_DSN = "chdb://millstream-data"
"""An embedded store in the current folder: works without any set-up, and is easily found and removed."""
DEFAULT_DATABASE = "default"
"""What ClickHouse itself calls the database that every server and chDB folder has."""
LANES = ("event_processing", "event_processing_lazy", "event_processing_replay", "bulk_event_consumption")
"""The sections that are lanes."""


class ClickHouseConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where events are stored: the `[clickhouse]` section.

    Args:
        dsn: `"chdb:///folder"`, `"chdb://folder"` for one relative to the current folder, `"http://user:password@host:8123/database"`
            or `"https://…"`; `None`: `chdb://millstream-data`. A secret: `repr` shows it without its password.
        database: where the table is, and what unqualified names in `query` mean; empty: the address's, else `default`.
        table: where events go.
        insert_deadline: seconds to wait for the answer to one INSERT, before it is sent again under the same token. The engine
            gives an INSERT up 5 s before, but not before 1 s: below 6 s one that takes longer than 1 s never ends.
        compression: how the rows of an INSERT to a server are packed: `"none"`, `"lz4"` or `"zstd"`. It spares the network and
            costs the processors of both ends, so `"none"` where the server is near. An embedded store is sent nothing.

    Raises:
        ConfigurationError: the address is of no known kind, a name is no identifier, or the deadline is no time.
    """

    dsn: str | None = None
    database: str = ""
    table: str = "events"
    insert_deadline: float = 60.0
    compression: Compression = "none"

    def __post_init__(self) -> None:
        require_types(self, "clickhouse.")
        database = self.database
        try:
            from_dsn = self.address.database
        except ConfigurationError as error:
            raise ConfigurationError(f"clickhouse.dsn: {error}") from None
        if not database:
            msgspec.structs.force_setattr(self, "database", from_dsn or DEFAULT_DATABASE)
        for key in ("database", "table"):
            try:
                quote_identifier(getattr(self, key))
            except ConfigurationError as error:
                raise ConfigurationError(f"clickhouse.{key}: {error}") from None
        if not 0 < self.insert_deadline <= threading.TIMEOUT_MAX:
            raise ConfigurationError(
                f"clickhouse.insert_deadline must be above 0 and at most {threading.TIMEOUT_MAX:g} seconds,"
                f" not {self.insert_deadline:g}"
            )

    @property
    def address(self) -> StoreDsn:
        """The address, taken apart."""
        return StoreDsn.parse(DEFAULT_DSN if self.dsn is None else self.dsn)

    def __rich_repr__(self) -> Any:
        """Yield what rich shows of it; without this, the struct would hand it the password."""
        yield "dsn", self.address.redacted
        yield "database", self.database
        yield "table", self.table
        yield "insert_deadline", self.insert_deadline
        yield "compression", self.compression

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"ClickHouseConfig({shown})"


class PostProcessingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is told of stored events: the `[post_processing]` section.

    Args:
        topic: where each stored event is published; `None`: nowhere.
    """

    topic: str | None = None

    def __post_init__(self) -> None:
        if self.topic is not None and not self.topic:
            raise ConfigurationError("post_processing.topic must not be empty; leave it out to tell nobody")
        if self.topic is not None:
            checked_name("post_processing.topic", self.topic)


class RetryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a message is tried again when its handler fails: the `[retry]` section. The defaults are the original's.

    Args:
        max_retries: attempts after the first one: 3 is four attempts.
        initial_interval: seconds before the first retry.
        max_interval: seconds that a wait grows to at most, before jitter.
        multiplier: what each wait is longer than the one before.
        jitter: how far a wait is varied at random, as a part of it: 0 to 1.
        max_elapsed: seconds after the first attempt past which none begins; `None`: no such limit.
    """

    max_retries: int = 3
    initial_interval: float = 1.0
    max_interval: float = 10.0
    multiplier: float = 2.0
    jitter: float = 0.5
    max_elapsed: float | None = 120.0

    def __post_init__(self) -> None:
        self.make_retry()

    def make_retry(self) -> Retry:
        """Return the middleware that does it.

        Raises:
            ConfigurationError: a value is out of its range.
        """
        return Retry(**msgspec.structs.asdict(self))


class RouterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the router ends: the `[router]` section.

    Args:
        close_timeout: seconds that a shutdown waits for handlers, flushes and poison records.
    """

    close_timeout: float = 30.0

    def __post_init__(self) -> None:
        RouterConfig(close_timeout=self.close_timeout)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings; `load_settings` reads them from a file and the environment. Their `repr` shows no secret.

    Args:
        clickhouse: the store.
        event_processing: the regular lane of events.
        event_processing_lazy: the lane of tenants that can wait.
        event_processing_replay: the lane of events that are sent once more, off unless enabled.
        bulk_event_consumption: the lane of messages that bring many events each, off unless enabled.
        batch: when events are flushed.
        billing: whom billing rows are for; `None`: no billing rows.
        post_processing: who is told of stored events.
        retry: how failed messages are tried again.
        router: how the router ends.
        poison: how much a lane may set aside before it halts.
        kafka: where the brokers are.

    Raises:
        ConfigurationError: a topic or group of a lane cannot be called so, or post-processing goes to the topic of one.

    Example:
        >>> settings = Settings(batch=BatchConfig(batch_size=1000))  # `load_settings()` reads them from where they are set
        >>> settings.clickhouse.table, settings.batch.batch_size, settings.batch.flush_interval
        ('events', 1000, 5.0)
    """

    clickhouse: ClickHouseConfig = ClickHouseConfig()
    event_processing: LaneConfig = REGULAR
    event_processing_lazy: LaneConfig = LAZY
    event_processing_replay: LaneConfig = REPLAY
    bulk_event_consumption: LaneConfig = BULK
    batch: BatchConfig = BatchConfig()
    billing: BillingConfig | None = None
    post_processing: PostProcessingConfig = PostProcessingConfig()
    retry: RetryConfig = RetryConfig()
    router: RouterSettings = RouterSettings()
    poison: StormLimits = StormLimits()
    kafka: KafkaConfig = KafkaConfig()

    @property
    def lanes(self) -> dict[str, LaneConfig]:
        """Every lane by its section, enabled or not; the regular one first."""
        return {section: getattr(self, section) for section in LANES}

    @property
    def publish_topic(self) -> str:
        """Where events are published to: `kafka.topic`, else the topic of the regular lane."""
        return self.event_processing.topic if self.kafka.topic is None else self.kafka.topic

    def event_publisher(self, publisher: Publisher) -> EventPublisher:
        """Return what publishes events for these lanes, as `[kafka]` says.

        Args:
            publisher: sends them; such as `KafkaPublisher(settings.kafka.publisher_config())`, which its owner closes.
        """
        kafka = self.kafka
        return EventPublisher(
            publisher,
            topic=self.publish_topic,
            topic_lazy=self.event_processing_lazy.topic if kafka.topic_lazy is None else kafka.topic_lazy,
            topic_bulk=self.bulk_event_consumption.topic if kafka.topic_bulk is None else kafka.topic_bulk,
            route_tenants_on_lazy_mode=kafka.route_tenants_on_lazy_mode,
            bulk_max_batch_size=kafka.bulk_max_batch_size,
            bulk_max_batch_bytes=kafka.bulk_bytes,
        )

    def __post_init__(self) -> None:
        for section, lane in self.lanes.items():
            checked_name(f"{section}.topic", lane.topic)
            checked_id(f"{section}.consumer_group", lane.consumer_group)
            if lane.poison_topic is not None:
                checked_name(f"{section}.topic_dlq", lane.poison_topic)
            if lane.enabled and lane.topic == self.post_processing.topic:
                raise ConfigurationError(
                    f"post_processing.topic and {section}.topic are both {lane.topic!r}, where each event would be stored again"
                    " for ever; give post-processing a topic of its own"
                )
