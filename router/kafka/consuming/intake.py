"""What was fetched, on its way to whoever receives: unpacked, too large ones set aside, and held back where there is no room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from confluent_kafka import Consumer

from ...delivery.assignment import Assignment
from ..config import KafkaSubscriberConfig
from .brake import Brake
from .delivery_buffer import count_messages
from .inbox import Inbox
from .oversize import set_aside
from .owned_partitions import OwnedPartitions
from .recipient import Recipient
from .unpacking import Unpacked, Unpacker


class Intake:
    """Takes in what polls bring. For the poll thread only.

    Args:
        consumer: who is told to pause.
        owned: the partitions that are ours.
        inbox: where messages go.
        recipient: hears of a log that was rewound.
        config: bounds and times.
        on_error: told of each record that is an error.
    """

    def __init__(
        self,
        consumer: Consumer,
        owned: OwnedPartitions,
        inbox: Inbox,
        recipient: Recipient,
        config: KafkaSubscriberConfig,
        on_error: Callable[[Any], None],
    ) -> None:
        self._inbox = inbox
        self._max_message_bytes = config.max_message_bytes
        # A method would refer to us, and we to the consumer: a cycle would leave its end to the garbage collector.
        self._unpacker = Unpacker(owned, on_error, partial(_rewound, inbox, recipient))
        self.brake = Brake(
            consumer, owned, inbox.buffer, pause_after=config.pause_after, max_pending_bytes=config.max_pending_bytes
        )

    def unpack(self, records: Sequence[Any]) -> Unpacked:
        """Return the messages of *records*, each in its book. Raises what `on_error` raises."""
        return self._unpacker.unpack(records, in_runs=self._inbox.takes_runs)

    def take(self, unpacked: Unpacked) -> bool:
        """Pass on what fits; returns whether there was anything."""
        entries, size, count = unpacked.entries, unpacked.size, unpacked.messages
        if unpacked.largest > self._max_message_bytes:
            entries = set_aside(entries, self._max_message_bytes)
            count = count_messages(entries)
        self._inbox.buffer.put(entries, count, size)
        return bool(entries)

    def forget(self, gone: Iterable[Assignment]) -> None:
        """Drop what nobody has begun to handle of *gone*."""
        self._inbox.discard(gone)


def _rewound(inbox: Inbox, recipient: Recipient, old: Assignment, new: Assignment) -> None:
    inbox.discard([old])
    recipient.lost([old])
    recipient.assigned([new])
