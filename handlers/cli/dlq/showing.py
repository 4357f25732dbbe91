"""`millstream dlq show`: one record for people."""

from __future__ import annotations

import base64

import msgspec

from millstream.router.poison.record import ENTRIES

from ..drawing import printable
from .grouping import UNKNOWN
from .records import PoisonRecord


def shown(record: PoisonRecord) -> str:
    """Return the record in words: where it stands and came from, what happened, the message's own metadata, its payload."""
    message = record.message
    what, payload = _payload(message.payload)
    facts = {
        "record": record.place,
        "came from": record.came_from or "unknown",
        "replayed": "yes" if record.is_replayed else "no",
        "uuid": message.uuid or UNKNOWN,
        "key": UNKNOWN if message.key is None else _payload(message.key)[1],
    }
    happened = {name: value for name, value in message.metadata.items() if name in ENTRIES}
    own = {name: value for name, value in message.metadata.items() if name not in ENTRIES}
    blocks = [_block(each) for each in (facts, happened, own) if each]
    lines = [line for block in blocks for line in (*block, "")]
    size = len(message.payload)
    lines.append(f"payload, {size:,} byte{'' if size == 1 else 's'}, {what}:")
    return "\n".join([*lines, *(printable(line) for line in payload.split("\n"))])


def _block(entries: dict[str, str]) -> list[str]:
    width = max((len(name) for name in entries), default=0)
    return [f"{printable(name):<{width}}  {printable(value)}".rstrip() for name, value in entries.items()]


def _payload(payload: bytes) -> tuple[str, str]:
    """Return of what kind *payload* is, and its text."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return "base64", base64.b64encode(payload).decode()
    try:
        return "JSON", msgspec.json.format(text, indent=2)
    except msgspec.DecodeError:
        return "text", text
