"""From the lines of a file to chunks of messages that `publish` hands over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from millstream.handlers.events import InvalidEvent, decode_event, event_message
from millstream.router import Message, MessageTooLarge

from .event_files import CHUNK_LINES
from .lines import Line

RECORD_BYTES = 200
"""What a record has around its key, value and headers: the uuid's header name, lengths, the batch."""
CHUNK_BYTES = 1024 * 1024
"""A chunk's `CHUNK_LINES` in bytes: lines may be long."""

OnInvalid = Callable[[Line, str], None]
"""Takes a line that is no event, or too large for a message, and the reason."""


def make_chunks(
    lines: Sequence[Line], max_message_bytes: int, on_invalid: OnInvalid
) -> Iterator[tuple[list[Message], list[Line]]]:
    """Yield the messages of the events in *lines*, in order, each chunk with the lines they came from; blank lines are none."""
    chunk: list[Message] = []
    origins: list[Line] = []
    size = 0
    for message, line in _messages(lines, max_message_bytes, on_invalid):
        chunk.append(message)
        origins.append(line)
        size += len(message.payload)
        if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk, origins
            chunk, origins, size = [], [], 0
    if chunk:
        yield chunk, origins


def _messages(lines: Sequence[Line], limit: int, on_invalid: OnInvalid) -> Iterator[tuple[Message, Line]]:
    for line in lines:
        if not line.raw or line.raw.isspace():
            continue
        try:
            message = event_message(decode_event(line.raw), line.raw)
            # Keys and headers repeat parts of the payload, at most four times over.
            if 5 * len(line.raw) > limit:
                _check_size(message, limit)
        except (InvalidEvent, MessageTooLarge) as refusal:
            on_invalid(line, str(refusal))
        else:
            yield message, line


def _check_size(message: Message, limit: int) -> None:
    key = message.key or b""
    headers = sum(len(name.encode()) + len(value.encode()) for name, value in message.metadata.items())
    size = len(message.payload) + len(key) + headers + len(message.uuid.encode()) + RECORD_BYTES
    if size > limit:
        raise MessageTooLarge(size, limit)
