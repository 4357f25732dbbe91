"""Reading what a topic holds between two offsets of each partition, past every group."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka import Message as Record

from ..clock import MONOTONIC
from ..delivery.message import Message
from ..errors import ConfigurationError, MillstreamError, TransientError
from .client import open_client
from .config import KafkaSubscriberConfig
from .connection import CREDENTIALS, ConnectionWatch
from .errors import UNAUTHORIZED
from .marshaler import UUID_HEADER, metadata_of
from .properties import Properties, client_properties
from .redaction import hide

CHUNK_RECORDS = 1000
"""Taken from librdkafka at a time: a thousand records of a poison topic are about a megabyte."""
LOOK_SECONDS = 0.05
"""How long one wait for records is, also where the end was reached: librdkafka waits for as many as were asked for."""
QUIET_SECONDS = 30.0
"""How long nothing may come: longer than a partition takes to find a new leader."""
NO_TIMESTAMP = 0
"""librdkafka's TIMESTAMP_NOT_AVAILABLE."""
BUFFER_KILOBYTES = 16_384
"""What librdkafka may fetch ahead; its own 64 MiB are for consumers that never end."""


def read_topic(
    config: KafkaSubscriberConfig,
    topic: str,
    begin: Mapping[int, int],
    end: Mapping[int, int],
    is_stopped: Callable[[], bool] = lambda: False,
) -> Generator[list[Message]]:
    """Yield the messages of *topic* from *begin* up to *end*, in order within each partition. Joins no group, commits nothing.

    What retention has removed in the meantime is stepped over. Close it where it is not read to its end.

    Args:
        config: where the brokers are, and who reads.
        topic: what to read.
        begin: the first offset of each partition.
        end: the offset after the last one.
        is_stopped: ends it early; asked every 0.05 s.

    Raises:
        ConfigurationError: we are refused.
        TransientError: nothing has come for 30 s, or the topic cannot be read now.
    """
    missing = {partition for partition, offset in begin.items() if offset < end.get(partition, 0)}
    if not missing:
        return
    watch = ConnectionWatch(config)
    consumer = open_client(Consumer, config, _properties(config), watch.on_error)
    try:
        consumer.assign([TopicPartition(topic, partition, begin[partition]) for partition in sorted(missing)])
        heard_at = MONOTONIC.now()
        while missing and not is_stopped():
            records = consumer.consume(CHUNK_RECORDS, LOOK_SECONDS)
            if records:
                heard_at = MONOTONIC.now()
            elif watch.failure is not None:
                raise watch.failure
            elif MONOTONIC.now() >= heard_at + QUIET_SECONDS:
                reason = watch.outage or f"nothing has come for {QUIET_SECONDS:g} s"
                raise TransientError(f"topic {topic!r} cannot be read on {config.address}: {reason}")
            messages = _unpack(records, topic, end, missing, config)
            if messages:
                yield messages
    finally:
        consumer.close()


def _properties(config: KafkaSubscriberConfig) -> Properties:
    return {
        **client_properties(config),
        "group.id": config.group_id,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        # Only what retention removes between the question where the topic begins and the first fetch comes to this.
        "auto.offset.reset": "earliest",
        "queued.max.messages.kbytes": BUFFER_KILOBYTES,
    }


def _unpack(
    records: Sequence[Record], topic: str, end: Mapping[int, int], missing: set[int], config: KafkaSubscriberConfig
) -> list[Message]:
    """Return the messages below *end*, and take from *missing* the partitions that have come to theirs."""
    messages = []
    for record in records:
        error = record.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise _failure(error, topic, config)
        partition, offset = record.partition(), record.offset()
        if partition is None or offset is None or partition not in missing:
            continue
        # The end of a partition stands where the next record will: what is no message may lie before it.
        if error is None and offset < end[partition]:
            messages.append(_message(record, topic, partition, offset))
            offset += 1
        if offset >= end[partition]:
            missing.discard(partition)
    return messages


def _message(record: Record, topic: str, partition: int, offset: int) -> Message:
    metadata = metadata_of(record)
    kind, milliseconds = record.timestamp()
    return Message(
        record.value() or b"",
        uuid=metadata.pop(UUID_HEADER, ""),
        metadata=metadata,
        key=record.key(),
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=None if kind == NO_TIMESTAMP or milliseconds < 0 else milliseconds / 1000,
    )


def _failure(error: KafkaError, topic: str, config: KafkaSubscriberConfig) -> MillstreamError:
    text = f"topic {topic!r} cannot be read on {config.address}: {hide(error.str(), config.secrets)}"
    if error.code() in UNAUTHORIZED | CREDENTIALS:
        return ConfigurationError(text)
    return TransientError(text)
