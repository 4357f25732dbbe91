"""A message as it comes out of a Kafka record.

Payload and place are read at once; headers, key and time when somebody asks for them, since most handlers never do and reading
them costs more than everything else that happens to a message on its way to the handler.
"""

from __future__ import annotations

import threading
from typing import Any

import msgspec
from confluent_kafka import Message as Record

from ...delivery.content import Content
from ...delivery.message import Assigned, Message
from ...delivery.outliving import made_again
from ...delivery.run import MessageRun
from ...delivery.settlement import NO_CHAIN
from ..marshaler import UUID_HEADER, metadata_of

NO_TIMESTAMP = 0
"""librdkafka's TIMESTAMP_NOT_AVAILABLE."""

_reading = threading.Lock()
"""A record's headers may be read once only: see `metadata_of`."""


class _Late:
    """A field that is filled when it is first asked for; stands before the struct's own."""

    def __init__(self, name: str) -> None:
        self._field = Message.__dict__[name]

    def __get__(self, message: ReceivedMessage, kind: type | None = None) -> Any:
        if message._record is not None:
            message._read()
        return self._field.__get__(message)

    def __set__(self, message: ReceivedMessage, value: Any) -> None:
        message._read()
        self._field.__set__(message, value)

    def fill(self, message: ReceivedMessage, value: Any) -> None:
        """Write what was read."""
        self._field.__set__(message, value)


_uuid, _metadata, _key, _timestamp = map(_Late, ("uuid", "metadata", "key", "timestamp"))


class ReceivedMessage(Message, gc=False, eq=False):
    """A message whose record is read as far as anybody wants to know it. Behaves as any other message.

    Its fields are given by position, in this order: naming them would cost a third more than all of them do.
    """

    uuid: str = ""
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    topic: str = ""
    partition: int = -1
    offset: int = -1
    assignment: Assigned | None = None
    _record: Record | None = None
    """Until it was read whole."""
    _entries: dict[str, str] | None = None
    """What its metadata were where its chain has read them, and may change them in place."""

    def _read(self) -> None:
        with _reading:
            record = self._record
            if record is None:
                return
            metadata = metadata_of(record)
            kind, milliseconds = record.timestamp()
            _uuid.fill(self, metadata.pop(UUID_HEADER, ""))
            _metadata.fill(self, metadata)
            _key.fill(self, record.key())
            # A producer may leave it at -1, which says "none" as well.
            _timestamp.fill(self, None if kind == NO_TIMESTAMP or milliseconds < 0 else milliseconds / 1000)
            if self.delivery.chain != NO_CHAIN:
                _entries.__set__(self, metadata.copy())
            _record.__set__(self, None)  # last: whoever finds it gone reads the fields without the lock

    @property
    def delivered(self) -> Content:
        """See `Message.delivered`; with the metadata as they were read."""
        content = super().delivered
        return content if self._entries is None else content._replace(entries=self._entries)


_record, _entries = ReceivedMessage.__dict__["_record"], ReceivedMessage.__dict__["_entries"]
ReceivedMessage.unread = _record
for _name, _late in (("uuid", _uuid), ("metadata", _metadata), ("key", _key), ("timestamp", _timestamp)):
    setattr(ReceivedMessage, _name, _late)

UNREAD: dict[str, str] = {}
"""Stands in the field of the metadata until the record is read; nobody gets to see it."""


class ReceivedRun(MessageRun, gc=False, eq=False, kw_only=True):
    """A run of records, in which nothing but the payloads is read yet. There may be gaps between their offsets.

    Args:
        records: one for each payload.
        sample: the place of a message that was made to look at it, as its record is read but once; -1: none was.
    """

    records: list[Record]
    sample: int = -1
    sampled: Message | None = None

    def make_messages(self) -> list[Message]:
        """Return a message for each record."""
        topic, partition, assignment = self.assignment.topic, self.assignment.partition, self.assignment
        messages: list[Message] = [
            ReceivedMessage(payload, "", UNREAD, topic, partition, record.offset() or 0, assignment, record)
            for payload, record in zip(self.payloads, self.records, strict=True)
        ]
        if self.sampled is not None:
            messages[self.sample] = self.sampled
        return messages

    def make_parts(self, count: int) -> tuple[ReceivedRun, ReceivedRun]:
        """Return the runs of the first *count* records and of the others."""
        return self._part(0, count), self._part(count, len(self.records))

    def make_again(self, assignment: Assigned) -> ReceivedRun:
        """Return a new run of the same records. One of them may have been read, and cannot be read again."""
        return ReceivedRun(
            self.payloads,
            assignment,
            self.first,
            self.offset,
            size_bytes=self.size_bytes,
            records=self.records,
            sample=self.sample,
            sampled=None if self.sampled is None else made_again(self.sampled, assignment),
        )

    def _part(self, start: int, end: int) -> ReceivedRun:
        records = self.records[start:end]
        has_sample = start <= self.sample < end
        return ReceivedRun(
            self.payloads[start:end],
            self.assignment,
            records[0].offset() or 0,
            records[-1].offset() or 0,
            records=records,
            sample=self.sample - start if has_sample else -1,
            sampled=self.sampled if has_sample else None,
        )

    def look_at(self, place: int) -> Message:
        """Return the message at *place*, to read it; only one of each run is made so."""
        if self.sampled is None:
            record, assignment = self.records[place], self.assignment
            where = assignment.topic, assignment.partition, record.offset() or 0
            self.sample, self.sampled = (
                place,
                ReceivedMessage(self.payloads[place], "", UNREAD, *where, assignment, record),
            )
        return self.sampled
