"""What a delivery report means for its message: confirmed, refused, or to be sent again by itself."""

from __future__ import annotations

from confluent_kafka import KafkaError
from confluent_kafka import Message as Record

from ..config import KafkaPublisherConfig
from ..connection import ConnectionWatch
from .confirmation import Confirmation
from .errors import BATCH_REFUSED, reason_of
from .single_sends import INFERRED, REFUSED, STALLED, SingleSends
from .steady_producer import PURGED

NO_PARTITION = -1
"""Leaves the choice to the partitioner."""


class Outcomes:
    """Takes in delivery reports, one by one. For the poll thread only.

    Args:
        config: for the words of a refusal.
        watch: hears what reports say about the brokers.
    """

    def __init__(self, config: KafkaPublisherConfig, watch: ConnectionWatch) -> None:
        self._config = config
        self._watch = watch
        self.singles = SingleSends(config, watch.on_error, self._settle)
        """What is sent again."""
        self.is_moving = False
        """Whether something was confirmed; set back by who has noted the time of it."""
        self.is_purging = False
        """Whether what is purged is given up; else a stalled client had it."""

    def on_delivery(self, confirmation: Confirmation, position: int, error: KafkaError | None, record: Record) -> None:
        """Take in the report for the message at *position* of a call."""
        if error is None:
            if record.offset() is None:  # no answer named it: librdkafka inferred from a later one that it was written
                self.singles.add(confirmation, position, _partition_of(record), INFERRED)
                return
        elif error.code() in BATCH_REFUSED:
            self._watch.on_login()
            self.singles.add(confirmation, position, _partition_of(record), REFUSED)
            return
        self._settle(confirmation, position, error, record)

    def _settle(
        self, confirmation: Confirmation, position: int, error: KafkaError | None, record: Record | None = None
    ) -> None:
        if error is None:
            self.is_moving = True
            if not self._watch.is_in_contact:
                self._watch.on_contact()
            confirmation.confirm()
            return
        if error.code() in PURGED and not self.is_purging and record is not None:
            self.singles.add(confirmation, position, _partition_of(record), STALLED)
            return
        if error.code() > 0:  # a broker's own; what librdkafka says itself is negative
            self._watch.on_login()
        reason = reason_of(error, confirmation.topic, self._config, confirmation.messages[position])
        outage = self._watch.outage
        text = f"{reason}; no broker can be reached: {outage}" if outage else reason
        confirmation.refuse(position, text, error.code())


def _partition_of(record: Record) -> int:
    """Return the partition that *record* was meant for; none was chosen while its topic has no leader."""
    partition = record.partition()
    return NO_PARTITION if partition is None else partition
