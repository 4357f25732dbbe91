"""One thing that a batch has, and the message it came in."""

from __future__ import annotations

from typing import Any

import msgspec

from millstream.router import Context, Message


class BatchMessage(msgspec.Struct, gc=False, eq=False):
    """One thing to process, and the message it came in.

    Args:
        message: what carries it; held by the batcher until the thing is stored.
        item: the parsed content, such as an `Event`.
        index: its place in a message that brings several; 0 otherwise.
        part: its own bytes in a message that brings several; `None`: the whole payload is.

    Example:
        >>> one = BatchMessage(Message(b'{"id": 1}'), item={"id": 1})
        >>> one.payload, one.item["id"]
        (b'{"id": 1}', 1)
    """

    message: Message
    item: Any
    index: int = 0
    part: bytes | None = None

    @property
    def context(self) -> Context:
        """The context of its message."""
        return self.message.context

    @property
    def payload(self) -> bytes:
        """The bytes that it came as, which are what it weighs in a batch."""
        return self.message.payload if self.part is None else self.part
