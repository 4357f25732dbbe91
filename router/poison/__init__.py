"""What a handler does with messages that cannot be handled: the choices, their records, and the sink behind them."""

from .choices import NotWritten, Poison, PoisonTopic, PoisonWriter
from .file import PoisonFile
from .record import REASON, describe, payload_fields
from .storm import StormLimits

__all__ = [
    "REASON",
    "NotWritten",
    "Poison",
    "PoisonFile",
    "PoisonTopic",
    "PoisonWriter",
    "StormLimits",
    "describe",
    "payload_fields",
]
