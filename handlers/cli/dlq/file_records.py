"""The lines of poison files: those of a `PoisonFile`, and those of `ingest` and `publish`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from millstream.handlers.events import InvalidEvent, decode_event, event_message
from millstream.router import Message, MessageTooLarge
from millstream.router.poison.record import REASON


def parse_record(line: bytes) -> tuple[Message, str]:
    """Return the message of a record with what happened in its metadata, and where it came from, if that is a line of a file.

    Raises:
        ValueError, KeyError, TypeError, msgspec.MsgspecError: it is none.
    """
    record = msgspec.json.decode(line, type=dict[str, Any])
    if "line" in record:
        raw = _bytes_in(record, "raw")
        message = _line_message(raw)
        message.metadata[REASON] = str(record["reason"])
        return message, f"line {record['line']} (byte {record['byte_offset']}) of its input"
    metadata = msgspec.convert(record["metadata"], dict[str, str])
    key = _bytes_in(record, "key") if "key" in record or "key_base64" in record else None
    return Message(_bytes_in(record, "payload"), uuid=str(record["uuid"]), metadata=metadata, key=key), ""


def _bytes_in(record: Mapping[str, Any], name: str) -> bytes:
    text = record.get(name)
    if isinstance(text, str):
        return text.encode()
    return base64.b64decode(record[f"{name}_base64"], validate=True)


def _line_message(raw: bytes) -> Message:
    """Return what `publish` would send for a line, or the line alone where it is no event yet."""
    try:
        return event_message(decode_event(raw), raw)
    except (InvalidEvent, MessageTooLarge):
        return Message(raw, uuid="", metadata={})
