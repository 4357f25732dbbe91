"""What of a run has been handed to Kafka and is not confirmed yet: bounded, and taken in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from millstream.router import MONOTONIC, ConfigurationError, KafkaPublisher, Message
from millstream.router.kafka import Confirmation, KafkaPublishError
from millstream.router.kafka.errors import unknown_topic

MAX_MESSAGES = 50_000
"""On the way at a time: half of what the publisher's buffer takes, so that handing over never waits inside it, where no
signal would be heard."""
MAX_BYTES = 24 * 1024 * 1024
"""The same in payload bytes: well under the publisher's 64 MiB, with keys."""
LOOK_SECONDS = 0.1
"""How often a wait for a confirmation looks whether it was called off."""


class Window:
    """Publishes chunks and counts what is confirmed.

    Args:
        publisher: sends them.
        topic: where to.
    """

    def __init__(self, publisher: KafkaPublisher, topic: str) -> None:
        self._publisher = publisher
        self._topic = topic
        self._open: deque[tuple[Confirmation, int]] = deque()
        self._bytes = 0
        self._messages = 0
        self.confirmed = 0
        """Messages that the brokers have confirmed."""
        self.failed = 0
        """Messages that they have not, for good."""
        self.reason = ""
        """Why the first of those was not."""

    def publish(self, messages: Sequence[Message], is_stopped: Callable[[], bool]) -> bool:
        """Hand *messages* over once there is room; returns False when *is_stopped* or a failure came first.

        Raises:
            ConfigurationError: the topic does not exist, or the brokers refuse us.
        """
        self._take_in()
        while self._messages > MAX_MESSAGES or self._bytes > MAX_BYTES:
            if is_stopped() or self.failed:
                return False
            self._open[0][0].wait(LOOK_SECONDS)
            self._take_in()
        if is_stopped() or self.failed:
            return False
        size = sum(len(message.payload) for message in messages)
        self._open.append((self._publisher.publish_async(self._topic, *messages), size))
        self._bytes += size
        self._messages += len(messages)
        return True

    def finish(self, close_timeout: float, is_stopped: Callable[[], bool]) -> None:
        """Wait until everything has its outcome; once *is_stopped*, for *close_timeout* seconds at most.

        Raises:
            ConfigurationError: as for `publish`.
        """
        deadline: float | None = None
        while self._open:
            self._take_in()
            if deadline is None and is_stopped():
                deadline = MONOTONIC.now() + close_timeout
            if deadline is not None and MONOTONIC.now() >= deadline:
                return
            if self._open:
                self._open[0][0].wait(LOOK_SECONDS)

    @property
    def unconfirmed(self) -> int:
        """Messages that were handed over and are not known to be written."""
        return self._messages + self.failed

    def _take_in(self) -> None:
        while self._open and self._open[0][0].is_done:
            confirmation, size = self._open.popleft()
            self._bytes -= size
            self._messages -= len(confirmation.messages)
            self._count(confirmation)

    def _count(self, confirmation: Confirmation) -> None:
        error = confirmation.error
        if error is None:
            self.confirmed += len(confirmation.messages)
            return
        if not isinstance(error, KafkaPublishError):
            self.failed += len(confirmation.messages)
            raise error
        self.confirmed += len(confirmation.messages) - len(error.positions)
        self.failed += len(error.positions)
        self.reason = self.reason or next(iter(error.positions.values()))
        self._refuse_unknown_topic(error)

    def _refuse_unknown_topic(self, error: KafkaPublishError) -> None:
        address = self._publisher.config.address
        if unknown_topic(self._topic, address) in error.positions.values():
            raise ConfigurationError(
                f"topic {self._topic!r} does not exist on {address}; create it with: "
                f"millstream publish FILE… --topic {self._topic} --create-topic 4"
            )
