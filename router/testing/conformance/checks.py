"""What the cases compare, and the error that says what is wrong with a pub/sub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...delivery.message import Message

NAMED = 5
"""Messages named in an error: enough to see a pattern, few enough to read."""


class ConformanceError(AssertionError):
    """The pub/sub under test broke a promise. Raised by the cases; the fault is the pub/sub's, or its `Features` say too much."""


def require(condition: object, text: str) -> None:
    """Raise `ConformanceError` with *text* unless *condition* holds."""
    if not condition:
        raise ConformanceError(text)


def require_same(sent: Sequence[Message], received: Sequence[Message]) -> None:
    """Require that every message of *sent* is among *received* once, with its content, and nothing else is."""
    by_uuid = {message.uuid: message for message in sent}
    strange = [message for message in received if message.uuid not in by_uuid]
    require(not strange, f"{len(strange)} messages arrived that were never sent here: {strange[:NAMED]}")
    counts = Counter(message.uuid for message in received)
    twice = [uuid for uuid, count in counts.items() if count > 1]
    require(not twice, f"{len(twice)} messages arrived more than once: {twice[:NAMED]}")
    missing = [message for message in sent if message.uuid not in counts]
    require(not missing, f"{len(missing)} of {len(sent)} messages never arrived: {missing[:NAMED]}")
    changed = [message for message in received if message != by_uuid[message.uuid]]
    require(not changed, f"{len(changed)} messages changed their payload or metadata: {changed[:NAMED]}")
    other_key = [message for message in received if message.key != by_uuid[message.uuid].key]
    require(not other_key, f"{len(other_key)} messages changed their key: {other_key[:NAMED]}")


def make_messages(count: int, *, name: str = "message", keys: int = 0) -> list[Message]:
    """Return *count* different messages, spread over *keys* keys, or without a key."""
    return [
        Message(
            b"%s-%d" % (name.encode(), number),
            metadata={"number": str(number)},
            key=b"key-%d" % (number % keys) if keys else None,
        )
        for number in range(count)
    ]
