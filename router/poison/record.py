"""The record of a poisoned message: its content, with metadata that says what happened."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

from ..delivery.failure import Failure
from ..delivery.message import Message

REASON = "reason_poisoned"
TOPIC = "topic_poisoned"
HANDLER = "handler_poisoned"
SUBSCRIBER = "subscriber_poisoned"
ATTEMPTS = "attempts_poisoned"
PARTITION = "partition_poisoned"
OFFSET = "offset_poisoned"
ERROR_CLASS = "error_class_poisoned"
TIME = "time_poisoned"
CUT = "payload_bytes_poisoned"
"""Only where the payload was cut: how many bytes it had."""

PARTITION_KEY = "partition_key"
"""The metadata entry that Kafka makes a key of where the message has none."""

CUT_PAYLOAD_BYTES = 1000
"""What is left of a payload, or key, that its topic does not take: enough to see what it was, less than any topic's limit."""
CUT_REASON_CHARACTERS = 1000


def poison_record(message: Message, failure: Failure) -> Message:
    """Return what the sink writes for *message*: its content, with metadata that says what happened."""
    route = None if message.assignment is None else message.assignment.route
    metadata = dict(message.metadata)
    # An error may quote half a character of what it choked on; no file or header could take that.
    metadata[REASON] = str(failure.error).encode(errors="backslashreplace").decode()
    metadata[TOPIC] = message.topic
    metadata[HANDLER] = "" if route is None else route.handler
    metadata[SUBSCRIBER] = "" if route is None else route.subscriber
    metadata[ATTEMPTS] = str(attempts_of(message))
    metadata[PARTITION] = str(message.partition)
    metadata[OFFSET] = str(message.offset)
    metadata[ERROR_CLASS] = type(failure.error).__name__
    metadata[TIME] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Message(message.payload, uuid=message.uuid, metadata=metadata, key=message.key, timestamp=message.timestamp)


def cut(record: Message) -> Message:
    """Return *record* with as much of it as any topic takes: its key, the beginning of its payload, where the message stands."""
    kept = (TOPIC, HANDLER, SUBSCRIBER, ATTEMPTS, PARTITION, OFFSET, ERROR_CLASS, TIME)
    metadata = {name: record.metadata[name] for name in kept}
    metadata[REASON] = record.metadata[REASON][:CUT_REASON_CHARACTERS]
    metadata[CUT] = str(len(record.payload))
    # A compacted topic takes nothing without a key.
    key = None if record.key is None else record.key[:CUT_PAYLOAD_BYTES]
    if key is None and PARTITION_KEY in record.metadata:
        metadata[PARTITION_KEY] = record.metadata[PARTITION_KEY][:CUT_REASON_CHARACTERS]
    payload = record.payload[:CUT_PAYLOAD_BYTES]
    return Message(payload, uuid=record.uuid, metadata=metadata, key=key, timestamp=record.timestamp)


def attempts_of(message: Message) -> int:
    """Return how often *message* was tried: in its last delivery as counted by `Retry`, and once in each earlier one."""
    attempts: int = message.context.values.get("attempts", 1)
    return attempts + message.redeliveries


def describe(message: Message) -> dict[str, Any]:
    """Return the record of one poisoned message: its metadata and its payload, base64 where that is not UTF-8."""
    record: dict[str, Any] = {"uuid": message.uuid, "metadata": message.metadata}
    record.update(payload_fields(message.payload, "payload"))
    return record


def payload_fields(payload: bytes, name: str) -> dict[str, str]:
    """Return *payload* as one JSON field: text where it is UTF-8, else base64 under `<name>_base64`."""
    try:
        return {name: payload.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(payload).decode()}
