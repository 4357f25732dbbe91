"""How a message looks in a Kafka record, so that Go Watermill services on the same topics understand it.

Writing: the uuid is the header `_watermill_message_uuid`, each metadata entry a header, the payload the value. The record key
is the message's key, else the metadata entry `partition_key`, else none. An empty one is written as it is, and a compacted topic
takes it for a key; of the partitioners the default one does not, and spreads such records as if they had none. The record is
stamped when it is sent, whatever the message's own time: one that is older than the topic's retention would be deleted at once.

Reading: every other header becomes metadata, the last one where a name comes twice. Without the uuid header the uuid is
empty. A record without a value (a tombstone) is a message with an empty payload, a header without one an empty entry.
Bytes that are not UTF-8 are written as `\\xff`, so that nothing later, a JSON file or a log, chokes on the metadata. If the
name of a header is not UTF-8, no header can be read: the message then has no metadata but `HEADERS_UNREADABLE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from confluent_kafka import Message as Record

from ..delivery.message import Message
from ..errors import PermanentError

UUID_HEADER = "_watermill_message_uuid"
PARTITION_KEY = "partition_key"
HEADERS_UNREADABLE = "headers_unreadable"
"""The metadata entry of a message whose headers could not be read; its value says why."""

Headers = list[tuple[str, str | bytes | None]]
"""As confluent-kafka has them; those that we write are bytes."""


def headers_of(message: Message) -> Headers:
    """Return the headers that carry the uuid and the metadata of *message*.

    Raises:
        PermanentError: the metadata has an entry named like the uuid header, a name with a NUL in it, or text that cannot be
            UTF-8.
        TypeError, AttributeError: something is no text; see `misfit_of`.
    """
    if UUID_HEADER in message.metadata:
        raise PermanentError(f"the metadata entry {UUID_HEADER} is reserved for the uuid")
    try:
        headers: Headers = [(UUID_HEADER, message.uuid.encode())]
        for name, value in message.metadata.items():
            if "\0" in name:  # librdkafka cuts it there: two names may become one, or that of the uuid
                raise PermanentError(f"the name of the metadata entry {name!r} has a NUL character in it")
            name.encode()
            headers.append((name, value.encode()))
    except UnicodeEncodeError as error:
        raise PermanentError(f"uuid or metadata cannot be written as UTF-8: {error}") from error
    return headers


def key_of(message: Message) -> bytes | None:
    """Return the record key of *message*: its key, else its metadata entry `partition_key`, else none; either may be empty."""
    if message.key is not None:
        return message.key
    partition_key = message.metadata.get(PARTITION_KEY)
    return None if partition_key is None else partition_key.encode()


def misfit_of(message: Message) -> str:
    """Return what in *message* is of a type that has no wire form, empty if nothing is. Types are not checked before it fails."""
    metadata: object = message.metadata
    parts: list[tuple[str, object, type]] = [
        ("payload", message.payload, bytes),
        ("uuid", message.uuid, str),
        ("key", b"" if message.key is None else message.key, bytes),
        ("metadata", metadata, Mapping),
    ]
    if isinstance(metadata, Mapping):
        for name, value in metadata.items():
            parts += [(f"name of the metadata entry {name!r}", name, str), (f"metadata entry {name!r}", value, str)]
    for what, value, expected in parts:
        if not isinstance(value, expected):
            return f"the {what} is of type {type(value).__name__}, not {expected.__name__}"
    return ""


def metadata_of(record: Record) -> dict[str, str]:
    """Return the headers of *record* as text, the uuid's among them."""
    try:
        headers = cast("list[tuple[str, bytes | None]] | None", record.headers())
    except (SystemError, UnicodeDecodeError):
        # The first is what confluent-kafka 2.16 raises when it stumbles over a name. Asking a second time would crash.
        return {HEADERS_UNREADABLE: "the name of a header is not UTF-8"}
    return {name: _text(value) for name, value in headers or ()}


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode(errors="backslashreplace")
