"""What a handler does with messages that cannot be handled: the choices a user has, and the record that is written.

A choice is one object per handler, used by the `PoisonQueue` middleware and by `Hold.fail` alike.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from .errors import MillstreamError, PublishError
from .message import Message
from .protocols import Publisher
from .settlement import Failure

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

CUT_PAYLOAD_BYTES = 1000
"""What is left of a payload that its topic does not take: enough to see what it was, less than any topic's limit."""
CUT_REASON_CHARACTERS = 1000


class NotWritten(MillstreamError):
    """Some records of one write are not safe yet; the others are. What a `PoisonWriter` may raise that knows which.

    Args:
        places: those that are not, by their place in the call.
        refused: those of them that will not be taken as they are, such as too large ones: their payload is cut.
    """

    def __init__(self, places: Collection[int], refused: Collection[int], reason: str) -> None:
        self.places = frozenset(places)
        self.refused = frozenset(refused)
        super().__init__(reason)


class PoisonWriter(Protocol):
    """Writes poisoned messages somewhere safe. Called by the sink's own thread only."""

    def write(self, messages: Sequence[Message]) -> None:
        """Write *messages*, whose metadata says why they are here, and return once they are safe; raise to be called again.

        Raise `NotWritten` where some are safe: only the others come again.
        """
        ...

    def close(self) -> None:
        """Release what is held. May be called twice."""
        ...


Poison = PoisonWriter | Literal["none", "drop"]
"""A poison sink, as it is chosen: a writer, `"none"` (halt: nothing is committed past the message) or `"drop"` (count, go on)."""


class PoisonTopic:
    """Publish poisoned messages to *topic*, unchanged but for the metadata that says why.

    Of a message that the topic does not take, as it is too large, go the first 1,000 bytes; the metadata says how many it had
    (`payload_bytes_poisoned`) and where it stands.
    """

    def __init__(self, publisher: Publisher, topic: str) -> None:
        self.publisher = publisher
        self.topic = topic

    def write(self, messages: Sequence[Message]) -> None:
        """Publish and wait for the confirmation."""
        try:
            self.publisher.publish(self.topic, *messages)
        except PublishError as error:
            by_uuid = [place for place, message in enumerate(messages) if message.uuid in error.failures]
            places = set(error.positions or by_uuid or range(len(messages)))
            raise NotWritten(places, places & error.refused, str(error)) from error

    def close(self) -> None:
        """Leave the publisher to the router, which closes every publisher it knows once, last."""

    def __repr__(self) -> str:
        return f"PoisonTopic({self.topic!r})"


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


class PoisonFile:
    """Append poisoned messages to the file *path* as NDJSON, one record a line, on the disk before they count as settled.

    The file is made with mode 0600 at the first record: payloads may be confidential.

    Args:
        path: where to write.
        replace: start anew, replacing an older file, at the first record.
        record: turns a message into its record; by default `describe`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        record: Callable[[Message], Mapping[str, Any]] = describe,
    ) -> None:
        self.path = Path(path)
        self._replace = replace
        self._record = record
        self._file: FileIO | None = None

    def write(self, messages: Sequence[Message]) -> None:
        """Append the records, flushed to the disk."""
        block = b"".join(msgspec.json.encode(self._record(message)) + b"\n" for message in messages)
        file = self._open()
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            _write_all(file, block)
            return
        end = os.fstat(file.fileno()).st_size
        try:
            _write_all(file, block)
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), end)  # half a line would spoil the whole file for whoever reads it
            raise

    def _open(self) -> FileIO:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if self._replace else 0)
            descriptor = os.open(self.path, flags, 0o600)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)  # an older file may have been more open
            self._file = FileIO(descriptor, "wb")
        return self._file

    @property
    def is_used(self) -> bool:
        """Whether anything was written."""
        return self._file is not None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __repr__(self) -> str:
        return f"PoisonFile({str(self.path)!r})"


def _write_all(file: FileIO, block: bytes) -> None:
    """Write the whole *block*: on a disk that fills up, a write takes what fits and reports no error."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) or 0 :]


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
    """Return *record* with as much of it as any topic takes: the beginning of its payload, and what points to the message."""
    kept = (TOPIC, HANDLER, SUBSCRIBER, ATTEMPTS, PARTITION, OFFSET, ERROR_CLASS, TIME)
    metadata = {name: record.metadata[name] for name in kept}
    metadata[REASON] = record.metadata[REASON][:CUT_REASON_CHARACTERS]
    metadata[CUT] = str(len(record.payload))
    return Message(record.payload[:CUT_PAYLOAD_BYTES], uuid=record.uuid, metadata=metadata, timestamp=record.timestamp)


def attempts_of(message: Message) -> int:
    """Return how often *message* was tried: in its last delivery as counted by `Retry`, and once in each earlier one."""
    attempts: int = message.context.values.get("attempts", 1)
    return attempts + message.redeliveries
