"""A publisher that remembers, and fails when a test says so."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from ..delivery.message import Message
from ..errors import StateError
from .fake_subscription import ignore


class RecordingPublisher:
    """Keeps what is published; implements `Publisher`.

    Args:
        script: what the next calls of `publish` raise, in order; `None` lets one through. After the script all go through.
        record: called with a short text for each publish and for the close, for tests of an order.
    """

    def __init__(self, script: Iterable[BaseException | None] = (), *, record: Callable[[str], None] = ignore) -> None:
        self.close_count = 0
        self._script = list(script)
        self._record = record
        self._calls: list[tuple[str, list[Message]]] = []
        self._attempts = 0
        self._broken: BaseException | None = None
        self._condition = threading.Condition()

    def publish(self, topic: str, *messages: Message) -> None:
        """Keep *messages*, or raise what the script says."""
        with self._condition:
            self._attempts += 1
            self._condition.notify_all()
            if self.close_count:
                raise StateError("the publisher is closed")
            error = self._script.pop(0) if self._script else self._broken
            if error is not None:
                raise error
            self._calls.append((topic, list(messages)))
            self._record(f"publish {topic}")

    def break_down(self, error: BaseException) -> None:
        """Raise *error* at every call from now on."""
        with self._condition:
            self._broken = error

    def recover(self) -> None:
        """Let calls through again."""
        with self._condition:
            self._broken = None

    @property
    def attempts(self) -> int:
        """How often `publish` was called, failures included."""
        return self._attempts

    @property
    def calls(self) -> list[tuple[str, list[Message]]]:
        """The calls that went through: topic and messages."""
        with self._condition:
            return list(self._calls)

    def messages(self, topic: str | None = None) -> list[Message]:
        """Return what was published to *topic*, or everywhere, in order."""
        return [message for name, messages in self.calls if topic in (None, name) for message in messages]

    def wait_attempts(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until `publish` was called *count* times, failures included; returns False after *timeout* seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: self._attempts >= count, timeout)

    def wait_published(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until *count* messages were published; returns False after *timeout* seconds."""
        with self._condition:
            return self._condition.wait_for(lambda: sum(len(each) for _, each in self._calls) >= count, timeout)

    def close(self) -> None:
        """Refuse everything from now on, and count the call."""
        with self._condition:
            self.close_count += 1
        self._record("close publisher")
