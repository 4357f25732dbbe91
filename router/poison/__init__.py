"""What a handler does with messages that cannot be handled: the choices, their records, and the sink behind them."""

from .choices import (
    DROP,
    HALT,
    REDELIVER,
    NotWritten,
    Poison,
    PoisonChoice,
    PoisonTopic,
    PoisonWriter,
    choice_named,
    chosen,
)
from .file import PoisonFile
from .record import REASON, describe, payload_fields
from .storm import StormLimits

__all__ = [
    "DROP",
    "HALT",
    "REASON",
    "REDELIVER",
    "NotWritten",
    "Poison",
    "PoisonChoice",
    "PoisonFile",
    "PoisonTopic",
    "PoisonWriter",
    "StormLimits",
    "choice_named",
    "chosen",
    "describe",
    "payload_fields",
]
