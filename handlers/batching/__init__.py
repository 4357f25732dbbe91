"""Batching: generic, knows neither events nor ClickHouse."""

from .batch import Batch, BatchResult, ProcessBatch, Trigger
from .batch_message import BatchMessage
from .batcher import MessageBatcher
from .config import BatchConfig
from .gate import InsertGate
from .rows import Rows

__all__ = [
    "Batch",
    "BatchConfig",
    "BatchMessage",
    "BatchResult",
    "InsertGate",
    "MessageBatcher",
    "ProcessBatch",
    "Rows",
    "Trigger",
]
