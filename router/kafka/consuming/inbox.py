"""What waits to be received of one subscription: messages that are new, and nacked ones once they are due again."""

from __future__ import annotations

from collections.abc import Iterable

from ...clock import MONOTONIC
from ...delivery.assignment import Assignment
from ...delivery.run import Entry
from ..config import KafkaSubscriberConfig
from .delivery_buffer import DeliveryBuffer
from .redeliveries import Redeliveries


class Inbox:
    """Both of them, for whoever receives. Thread-safe.

    Args:
        config: bounds of the buffer, and how long a nacked message waits.
    """

    def __init__(self, config: KafkaSubscriberConfig) -> None:
        self.buffer = DeliveryBuffer(config.buffer_messages, config.buffer_bytes)
        self.takes_runs = False
        """Whether whoever receives takes messages in runs."""
        self.redeliveries = Redeliveries(config.nack_resend_delay, self.buffer.wake)

    def receive(self, max_messages: int, timeout: float) -> list[Entry]:
        """Return the next chunk; see `Subscription.receive`. Raises what the poll thread died of."""
        deadline = MONOTONIC.now() + timeout
        while True:
            messages = list[Entry](self.redeliveries.take_due(max_messages))
            if not messages:
                left = max(0.0, deadline - MONOTONIC.now())
                messages = self.buffer.receive(max_messages, self.redeliveries.limit(left))
            if messages or MONOTONIC.now() >= deadline:
                return messages

    def discard(self, assignments: Iterable[Assignment]) -> None:
        """Drop what nobody has begun to handle of *assignments*: it comes again to whoever has the partition next."""
        gone = list(assignments)
        self.buffer.discard(gone)
        self.redeliveries.discard(gone)
