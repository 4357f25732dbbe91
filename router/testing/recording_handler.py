"""A handler that remembers, and fails when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from ..delivery.message import Message

Answer = Callable[[Message], Sequence[Message] | None]


class RecordingHandler:
    """Remembers the payload of every call; a `HandlerFunc`.

    Args:
        script: what the next calls raise, in order; `None` lets one pass. After the script all pass.
        answer: what a call that passes returns; nothing by default.
    """

    def __init__(self, script: Iterable[BaseException | None] = (), answer: Answer | None = None) -> None:
        self._script = list(script)
        self._answer = answer
        self._messages: list[Message] = []
        self._condition = threading.Condition()

    def __call__(self, message: Message) -> Sequence[Message] | None:
        """Handle *message* as the script says."""
        with self._condition:
            self._messages.append(message)
            error = self._script.pop(0) if self._script else None
            self._condition.notify_all()
        if error is not None:
            raise error
        return None if self._answer is None else self._answer(message)

    @property
    def messages(self) -> list[Message]:
        """The messages of all calls, failed ones included, in order."""
        with self._condition:
            return list(self._messages)

    @property
    def payloads(self) -> list[bytes]:
        """Their payloads."""
        return [message.payload for message in self.messages]

    def wait_calls(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until it was called *count* times; returns False after *timeout* seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: len(self._messages) >= count, timeout)
