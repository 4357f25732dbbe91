"""What a message says: the part of it that a middleware may change, and that is put back before it is handled again."""

from __future__ import annotations

import uuid as uuids
from collections.abc import Mapping
from typing import Any, NamedTuple

FIELDS = ("payload", "uuid", "key", "metadata")
"""Of a message: what a broker has brought, and a record of it says."""


def new_uuid() -> str:
    """Return a random (version 4) UUID as text, the default of `Message.uuid`."""
    return str(uuids.uuid4())


class Content(NamedTuple):
    """What a message said at some moment."""

    payload: bytes
    uuid: str
    key: bytes | None
    metadata: dict[str, str]
    entries: Mapping[str, str]
    """What was in `metadata`, which may be changed in place; the same object where nobody has kept it."""


def delivered_content(message: object, kept: Mapping[str, Any]) -> Content:
    """Return what *message* said when it was delivered: of *kept*, by field, what was replaced since."""
    payload, uuid, key, metadata = (kept[each] if each in kept else getattr(message, each) for each in FIELDS)
    return Content(payload, uuid, key, metadata, metadata)


def put_back(message: object, content: Content) -> None:
    """Make *message* say *content* again; its metadata are the same object as then."""
    for field in FIELDS:
        value = getattr(content, field)
        if getattr(message, field) is not value:
            setattr(message, field, value)
    metadata: object = content.metadata  # a middleware may have put anything there
    if isinstance(metadata, dict) and metadata != content.entries:
        metadata.clear()
        metadata.update(content.entries)
