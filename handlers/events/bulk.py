"""Bulk messages: many events of one tenant in one message, `{"events": [...], "tenant_id": ..., "environment_id": ...}`.

The events are the parts of their message. Each is decoded from its own bytes, under the rules of `decode_event`, so a bad one
says nothing about its neighbours, and a good one goes into the store as it came. An event without a tenant or environment has
those of its batch.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import msgspec

from millstream.handlers.batching import BatchMessage, MessageBatcher
from millstream.router.delivery.message import Message
from millstream.router.delivery.outliving import outliving
from millstream.router.delivery.parts import Excerpt, text_of_parts
from millstream.router.errors import MessageTooLarge

from .decode import DEFAULT_MAX_MESSAGE_BYTES, decode_event
from .diagnosis import diagnose
from .event import Event, InvalidEvent
from .nesting import values_below

BATCH_SIZE = "batch_size"
"""The metadata entry that says how many events a message brings."""
SINGLE_EVENT = "missing: this is a single event, and this topic takes batches of them"
"""The reason a message gets that is no batch but an event."""

_EMPTY = (b'""', b"null")
_EVENT_LEVEL = 2
"""How many brackets are open before an event: those of the batch and of its list."""


class EventBatch(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Several events in one message, each as it came: nothing of them is checked.

    Args:
        events: their JSON.
        tenant_id, environment_id: of each event that has none of its own.
    """

    events: list[msgspec.Raw] | None
    tenant_id: str | None = None
    environment_id: str | None = None

    def excerpt(self, parts: Sequence[int]) -> Excerpt | None:
        """Return a batch of the events at *parts* only; `None` where these are all."""
        events = self.events or []
        if len(parts) == len(events):
            return None
        some = msgspec.structs.replace(self, events=[events[part] for part in parts])
        return Excerpt(_encode(some), {BATCH_SIZE: str(len(parts))})

    def decode(self) -> DecodedBatch:
        """Decode every event on its own."""
        good: list[DecodedEvent] = []
        bad: dict[int, InvalidEvent] = {}
        for part, raw in enumerate(self.events or []):
            try:
                good.append(self._decode(part, bytes(raw)))
            except InvalidEvent as error:
                bad[part] = error
        return DecodedBatch(self, good, bad)

    def _decode(self, part: int, payload: bytes) -> DecodedEvent:
        # Most events have both, or a batch is of events that have none: an error is a slow way to find that out.
        if any(key not in payload for key in _ID_KEYS):
            payload = self._filled(payload)
        try:
            # The limit is one of the message, and was looked at.
            return DecodedEvent(part, payload, decode_event(payload, max_message_bytes=len(payload)))
        except InvalidEvent:
            filled = self._filled(payload)
            if filled is payload:
                raise
        return DecodedEvent(part, filled, decode_event(filled, max_message_bytes=len(filled)))

    def _filled(self, payload: bytes) -> bytes:
        """Return the event with the ids of its batch where its own are missing or empty; itself if nothing can be filled in."""
        given = {name: value for name in _IDS if (value := getattr(self, name))}
        try:
            members = _read_members(payload)
        except (msgspec.MsgspecError, RecursionError):
            return payload
        lacking = [name for name in given if bytes(members.get(name, b"null")) in _EMPTY]
        if not lacking:
            return payload
        members.update({name: msgspec.Raw(_encode(given[name])) for name in lacking})
        return _encode(members)


class DecodedEvent(msgspec.Struct, gc=False, frozen=True):
    """One good event of a batch.

    Args:
        part: its place in the batch.
        payload: its JSON: its own bytes, or with the ids of the batch.
        event: what it says.
    """

    part: int
    payload: bytes
    event: Event


class DecodedBatch(msgspec.Struct, frozen=True):
    """What each event of a batch is.

    Args:
        batch: what they came in.
        good: the valid ones, in their order.
        bad: why each of the others is none, by its place.
    """

    batch: EventBatch
    good: list[DecodedEvent]
    bad: dict[int, InvalidEvent]

    def fail_bad(self, message: Message, owner: object) -> None:
        """Divide *message*, of which *owner* holds the good parts if they are to be waited for, and fail the bad ones."""
        route = None if message.assignment is None else message.assignment.route
        if route is not None:
            route.count_begun(len(self.good) + len(self.bad) - 1)
        holds = {part: message.hold(owner, part) for part in self.bad}
        message.delivery.divide(owner, self.batch)
        for number, (part, hold) in enumerate(holds.items()):
            hold.fail(self.bad[part])
            if number and route is not None:
                route.count_failed(None, self.bad[part])


def add_unheld(content: DecodedBatch, message: Message, batcher: MessageBatcher, owner: object) -> None:
    """Batch the good events of *message* apart from it, which waits for the record of its bad ones only: at most once."""
    batcher.is_unheld = True
    # Each is held for as long as it takes to add it, which also tells a repetition: they share one copy.
    new = [each for each in content.good if message.delivery.hold(batcher, each.part, message.assignment)]
    apart = outliving(message)
    all_parts = apart.hold(owner)
    if new:
        batcher.add_all([BatchMessage(apart, each.event, each.part, each.payload) for each in new])
    apart.delivery.divide(batcher, content.batch)
    all_parts.release()
    content.fail_bad(message, batcher)
    for each in new:
        message.delivery.release(batcher, each.part)


_IDS = ("tenant_id", "environment_id")
_ID_KEYS = (b'"tenant_id"', b'"environment_id"')
_encode = msgspec.json.Encoder().encode
_decode_batch = msgspec.json.Decoder(EventBatch).decode
_read_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode_event_batch(payload: bytes, *, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES) -> EventBatch:
    """Take a bulk message apart; its events are not looked at yet.

    Raises:
        InvalidEvent: it is no batch, or has no events; a single event is none.
        MessageTooLarge: the payload is longer than *max_message_bytes*.
        RecursionError: as for `decode_event`, the caller has used up Python's stack.
    """
    if len(payload) > max_message_bytes:
        raise MessageTooLarge(len(payload), max_message_bytes)
    try:
        batch = _decode_batch(payload)
    except msgspec.ValidationError as error:
        raise _explain(payload, error) from error
    except (msgspec.DecodeError, RecursionError) as error:
        batch = _decode_around_spoilt(payload, error)
    if not batch.events:
        raise InvalidEvent("events", "empty")
    return batch


def all_bad(errors: Mapping[int, InvalidEvent]) -> InvalidEvent:
    """Return the error of a batch without a single good event."""
    return InvalidEvent("events", f"none is valid; {text_of_parts(errors)}")


def _explain(payload: bytes, error: Exception) -> InvalidEvent:
    found = diagnose(payload, error)
    if (found.field, found.reason) == ("events", "missing") and "event_name" in _read_members(payload):
        return InvalidEvent("events", SINGLE_EVENT)
    return found


def _decode_around_spoilt(payload: bytes, error: Exception) -> EventBatch:
    """Decode a batch that cannot be read as one, but without those of its events that cannot be read by themselves.

    Such as one with a lone surrogate, or, on some interpreters, one that is too deep. `decode_event` will say why.

    Raises:
        InvalidEvent: nothing can be read between them either.
        RecursionError: *error* itself, where it is about the caller's stack.
    """
    text = payload.decode("utf-8", "surrogateescape")
    mark = uuid.uuid4().hex
    spoilt: dict[bytes, msgspec.Raw] = {}
    pieces, end = [], 0
    for start, stop in values_below(text, _EVENT_LEVEL):
        value = text[start:stop].encode("utf-8", "surrogateescape")
        if _is_spoilt(value):
            stand_in = f'"{mark}-{len(spoilt)}"'
            spoilt[stand_in.encode()] = msgspec.Raw(value)
            pieces += [text[end:start], stand_in]
            end = stop
    rest = "".join([*pieces, text[end:]]).encode("utf-8", "surrogateescape")
    try:
        batch = _decode_batch(rest)
    except (msgspec.DecodeError, RecursionError) as other:
        raise _explain(rest, other) from error
    return msgspec.structs.replace(batch, events=[spoilt.get(bytes(raw), raw) for raw in batch.events or []])


def _is_spoilt(value: bytes) -> bool:
    try:
        _read_list(b"[%b]" % value)
    except (msgspec.DecodeError, RecursionError):
        return True
    return False
