"""Events made into bulk messages: one group per tenant and environment, closed by number and by bytes."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from millstream.router import Message

from .bulk import BATCH_SIZE
from .create import encode_event
from .event import Event

MAX_BATCH_SIZE = 200
"""Events in one message, as in the original."""
MAX_BATCH_BYTES = 512 * 1024
"""Bytes of its payload, as in the original: half of what a topic takes unless told otherwise."""

_encode = msgspec.json.Encoder().encode


class EventGroup:
    """Events of one tenant and environment that go out in one message, in their order."""

    def __init__(self, first: Event) -> None:
        self.events: list[Event] = []
        self._first = first
        self._payloads: list[bytes] = []
        ids = _encode({"tenant_id": first.tenant_id, "environment_id": first.environment_id})
        self._end = b"]," + ids[1:]
        self.size_bytes = len(b'{"events":[') + len(self._end)
        """Bytes of its payload."""

    def add(self, event: Event, payload: bytes) -> None:
        """Append *event*, whose JSON is *payload*."""
        self.size_bytes += self.size_of(payload)
        self.events.append(event)
        self._payloads.append(payload)

    def size_of(self, payload: bytes) -> int:
        """Return the bytes that one more event adds."""
        return len(payload) + bool(self._payloads)

    def message(self) -> Message:
        """Return the message: a new uuid, metadata as consumers expect it, and the tenant as its key.

        With one key for all that a tenant sends, its messages keep their order.
        """
        tenant, environment = self._first.tenant_id, self._first.environment_id
        metadata = {"tenant_id": tenant, "environment_id": environment, BATCH_SIZE: str(len(self.events))}
        payload = b'{"events":[' + b",".join(self._payloads) + self._end
        return Message(payload, metadata=metadata, key=tenant.encode())


def group_events(events: Iterable[Event], *, max_size: int, max_bytes: int) -> list[EventGroup]:
    """Group *events*, which keep their order within a tenant and environment.

    Args:
        max_size: events in a group.
        max_bytes: of a group's payload; an event that needs more goes alone.
    """
    groups: list[EventGroup] = []
    open_groups: dict[tuple[str, str], EventGroup] = {}
    for event in events:
        payload = encode_event(event)
        key = event.tenant_id, event.environment_id
        group = open_groups.get(key)
        if group is None or len(group.events) >= max_size or group.size_bytes + group.size_of(payload) > max_bytes:
            group = open_groups[key] = EventGroup(event)
            groups.append(group)
        group.add(event, payload)
    return groups
