"""The record of a poisoned message: its content, with metadata that says what happened."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..delivery.failure import Failure
from ..delivery.message import Message
from ..delivery.parts import Excerpt, text_of_parts
from ..errors import text_of, text_of_error

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

ENTRIES = (REASON, TOPIC, HANDLER, SUBSCRIBER, ATTEMPTS, PARTITION, OFFSET, ERROR_CLASS, TIME)
"""What every record has beside what the message itself had."""
REPLAYS = "replays_poisoned"
"""How often a message was sent back to its topic: it goes with the message, so that its next record has it as well."""

PARTITION_KEY = "partition_key"
"""The metadata entry that Kafka makes a key of where the message has none."""

CUT_PAYLOAD_BYTES = 1000
"""What is left of a payload, or key, that its topic does not take: enough to see what it was, less than any topic's limit."""
CUT_REASON_CHARACTERS = 1000


def poison_record(message: Message, failure: Failure) -> Message:
    """Return what the sink writes for *message*: its content, with metadata that says what happened.

    Of a message that was taken apart, only the parts that failed, with the reason of each.
    """
    failed = _failed_parts(message)
    excerpt = _excerpt(message, failed)
    route = None if message.assignment is None else message.assignment.route
    content = message.delivered
    metadata = _texts_in(content.entries)
    if excerpt is not None:
        metadata.update(excerpt.metadata)
    metadata[REASON] = text_of_parts(failed) if failed else text_of_error(failure.error)
    metadata[TOPIC] = message.topic
    metadata[HANDLER] = "" if route is None else route.handler
    metadata[SUBSCRIBER] = "" if route is None else route.subscriber
    metadata[ATTEMPTS] = str(attempts_of(message))
    metadata[PARTITION] = str(message.partition)
    metadata[OFFSET] = str(message.offset)
    metadata[ERROR_CLASS] = type(failure.error).__name__
    metadata[TIME] = datetime.now(UTC).isoformat(timespec="milliseconds")
    key, timestamp = content.key, message.timestamp
    return Message(
        _bytes_of(content.payload) if excerpt is None else excerpt.payload,
        uuid=text_of(content.uuid),
        metadata=metadata,
        key=None if key is None else _bytes_of(key),
        timestamp=timestamp if isinstance(timestamp, float | int) else None,
    )


def _failed_parts(message: Message) -> dict[int, BaseException]:
    division = message.delivery.division
    return {} if division is None else division.failed(message.failures)


def _excerpt(message: Message, failed: dict[int, BaseException]) -> Excerpt | None:
    division = message.delivery.division
    if division is None or not failed or message.original is not message.payload:
        # What a middleware made of the payload, such as by decrypting it, is not what can be sent again.
        return None
    return division.content.excerpt(list(failed))


def size_of(message: Message) -> int:
    """Return the bytes that *message* has brought, which its record has as well: payload, key, metadata."""
    content = message.delivered
    key, metadata = content.key, _texts_in(content.entries)
    size = len(_bytes_of(content.payload)) + (0 if key is None else len(_bytes_of(key)))
    return size + sum(len(name) + len(value) for name, value in metadata.items())


def _texts_in(metadata: object) -> dict[str, str]:
    """Return a copy of *metadata*, texts only, whatever somebody has put there."""
    if not isinstance(metadata, Mapping):
        return {"metadata": text_of(metadata, repr)}
    return {text_of(name): text_of(value) for name, value in metadata.items()}


def _bytes_of(value: object) -> bytes:
    """Return *value* if it is bytes, as it should be; else what Python shows for it, so that a person can see it."""
    if isinstance(value, bytes):
        return value
    return bytes(value) if isinstance(value, bytearray | memoryview) else text_of(value, repr).encode()


def cut(record: Message) -> Message:
    """Return *record* with as much of it as any topic takes: its key, the beginning of its payload, where the message stands."""
    metadata = {name: record.metadata[name] for name in ENTRIES}
    metadata[REASON] = record.metadata[REASON][:CUT_REASON_CHARACTERS]
    metadata[CUT] = str(len(record.payload))
    # A compacted topic takes nothing without a key.
    key = None if record.key is None else record.key[:CUT_PAYLOAD_BYTES]
    if key is None and PARTITION_KEY in record.metadata:
        metadata[PARTITION_KEY] = record.metadata[PARTITION_KEY][:CUT_REASON_CHARACTERS]
    payload = record.payload[:CUT_PAYLOAD_BYTES]
    # A uuid is a header like any: a foreign producer may have put anything into it.
    uuid = record.uuid[:CUT_REASON_CHARACTERS]
    return Message(payload, uuid=uuid, metadata=metadata, key=key, timestamp=record.timestamp)


def attempts_of(message: Message) -> int:
    """Return how often *message* was tried: in its last delivery as counted by `Retry`, and once in each earlier one."""
    attempts = message.context.values.get("attempts", 1)
    return (attempts if isinstance(attempts, int) else 1) + message.redeliveries


def describe(message: Message) -> dict[str, Any]:
    """Return the record of one poisoned message: metadata, key if it has one, and payload, base64 where they are not UTF-8."""
    record: dict[str, Any] = {"uuid": message.uuid, "metadata": message.metadata}
    if message.key is not None:
        record.update(payload_fields(message.key, "key"))
    record.update(payload_fields(message.payload, "payload"))
    return record


def payload_fields(payload: bytes, name: str) -> dict[str, str]:
    """Return *payload* as one JSON field: text where it is UTF-8, else base64 under `<name>_base64`."""
    try:
        return {name: payload.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(payload).decode()}
