"""Batching: generic, knows neither events nor ClickHouse."""

from .batch import Batch, BatchResult, ProcessBatch, Trigger
from .batch_message import BatchMessage
from .batcher import MessageBatcher
from .budget import Budget
from .config import BatchConfig
from .gate import InsertGate
from .rows import Rows
from .statistics import BatcherStatistics

__all__ = [
    "Batch",
    "BatchConfig",
    "BatchMessage",
    "BatchResult",
    "BatcherStatistics",
    "Budget",
    "InsertGate",
    "MessageBatcher",
    "ProcessBatch",
    "Rows",
    "Trigger",
]
