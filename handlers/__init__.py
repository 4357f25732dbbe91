"""Event consumption: batching, ClickHouse, usage events."""

from .batching import Batch, BatchConfig, BatchMessage, BatchResult, MessageBatcher
from .events import (
    BillingConfig,
    ConsumptionStats,
    Event,
    EventConsumptionService,
    EventPublisher,
    EventRepository,
    InvalidEvent,
    LaneConfig,
    PostProcessor,
    create_event,
    decode_event,
)
from .lanes import AddedLanes, add_lanes
from .log_output import log_to_stderr
from .settings import Settings, load_settings
from .store import ClickHouseTable, DataError, Store, StoreMisconfigured, StoreUnavailable, UnknownOutcome, open_store

__all__ = [
    "AddedLanes",
    "Batch",
    "BatchConfig",
    "BatchMessage",
    "BatchResult",
    "BillingConfig",
    "ClickHouseTable",
    "ConsumptionStats",
    "DataError",
    "Event",
    "EventConsumptionService",
    "EventPublisher",
    "EventRepository",
    "InvalidEvent",
    "LaneConfig",
    "MessageBatcher",
    "PostProcessor",
    "Settings",
    "Store",
    "StoreMisconfigured",
    "StoreUnavailable",
    "UnknownOutcome",
    "add_lanes",
    "create_event",
    "decode_event",
    "load_settings",
    "log_to_stderr",
    "open_store",
]
