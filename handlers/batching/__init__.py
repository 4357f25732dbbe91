"""Batching: generic, knows neither events nor ClickHouse."""

from .batch import Batch, BatchMessage, BatchResult, ProcessBatch, Trigger
from .batcher import MessageBatcher
from .config import BatchConfig
from .gate import InsertGate

__all__ = [
    "Batch",
    "BatchConfig",
    "BatchMessage",
    "BatchResult",
    "InsertGate",
    "MessageBatcher",
    "ProcessBatch",
    "Trigger",
]
