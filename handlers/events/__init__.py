"""Usage events: decoding, consumption, post-processing."""

from .billing import BillingConfig, billing_line
from .bulk import EventBatch, decode_event_batch
from .consumption import ConsumptionStats, PostProcessingFailed
from .create import create_event
from .decode import decode_event
from .event import Event, InvalidEvent, canonical_line
from .lanes import BULK, LAZY, REGULAR, REPLAY, LaneConfig
from .post_processing import PostProcessor, event_message
from .publisher import EventPublisher
from .repository import EventRepository
from .schema import EVENT_COLUMNS, create_events_table
from .service import EventConsumptionService

__all__ = [
    "BULK",
    "EVENT_COLUMNS",
    "LAZY",
    "REGULAR",
    "REPLAY",
    "BillingConfig",
    "ConsumptionStats",
    "Event",
    "EventBatch",
    "EventConsumptionService",
    "EventPublisher",
    "EventRepository",
    "InvalidEvent",
    "LaneConfig",
    "PostProcessingFailed",
    "PostProcessor",
    "billing_line",
    "canonical_line",
    "create_event",
    "create_events_table",
    "decode_event",
    "decode_event_batch",
    "event_message",
]
