"""Payloads that are JSON lines as they came."""

from __future__ import annotations

import msgspec

from millstream.handlers.batching import BatchMessage, Rows
from millstream.router.errors import PermanentError

_OPEN, _CLOSE = b"{}"

_read = msgspec.json.Decoder(msgspec.Raw).decode
_read_many = msgspec.json.Decoder(msgspec.Raw).decode_lines


class RawLine:
    """Takes the payload of a message for its row, once it is certain that it is one JSON object; see `Line` and `ManyLines`.

    Of two that are none by themselves, such as the halves of one, the store could make a row.
    """

    def __call__(self, each: BatchMessage) -> bytes:
        """Return the line of one message.

        Raises:
            PermanentError: its payload is no JSON object.
        """
        line = each.payload.strip()
        try:
            _read(line)
        except (msgspec.DecodeError, RecursionError) as error:
            raise PermanentError(f"its payload is no JSON: {error}") from error
        if line[0] != _OPEN:
            raise PermanentError("its payload is no JSON object")
        return line

    def many(self, batch: Rows) -> list[bytes]:
        """Return the lines of all of *batch*; raises where one of them may be none."""
        lines = [payload.strip() for payload in batch.payloads()]
        # Between a `}` and a `{` no JSON value goes on, and in a string stands no line break: so each has at least one value of
        # its own, and as many values as lines are one in each.
        if [line for line in lines if not line or line[0] != _OPEN or line[-1] != _CLOSE]:
            raise PermanentError("a payload is no JSON object")
        if len(_read_many(b"\n".join(lines))) != len(lines):
            raise PermanentError("a payload is more than one JSON object")
        return lines
