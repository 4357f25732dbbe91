"""What of a run has been handed to Kafka and is not confirmed yet: bounded, and taken in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from millstream.router import MONOTONIC, ConfigurationError, HaltedError, KafkaPublisher, Message
from millstream.router.kafka import Confirmation, KafkaPublishError
from millstream.router.kafka.errors import UNAUTHORIZED, UNKNOWN_TOPIC, unknown_topic

MAX_MESSAGES = 50_000
"""On the way at a time: half of what the publisher's buffer takes, so that handing over never waits inside it, where no
signal would be heard."""
MAX_BYTES = 24 * 1024 * 1024
"""The same in payload bytes: well under the publisher's 64 MiB, with keys."""
LOOK_SECONDS = 0.1
"""How often a wait for a confirmation looks whether it was called off."""
QUIET_SECONDS = 1.0
"""How long nothing may be confirmed after the end was called for: brokers that answer do so in milliseconds."""

OnRefused = Callable[[int, str], None]
"""Takes a message that is at fault itself, by its place among those handed over together, and the reason."""


class Window:
    """Publishes chunks and counts what is confirmed.

    Kafka refuses a message for good where the message is at fault (it is too large for the topic, or against its rules): that
    one is set aside and the rest goes on. It refuses all of them where the topic is missing or we have no right to it: that is
    raised. Anything else may work the next time: it counts as failed, and nothing more is sent.

    Args:
        publisher: sends them.
        topic: where to.
        quiet_seconds: see `finish`.
    """

    def __init__(self, publisher: KafkaPublisher, topic: str, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._publisher = publisher
        self._topic = topic
        self._quiet_seconds = quiet_seconds
        self._open: deque[tuple[Confirmation, int, OnRefused | None]] = deque()
        self._bytes = 0
        self._messages = 0
        self.confirmed = 0
        """Messages that the brokers have confirmed."""
        self.failed = 0
        """Messages that they have not, and that nobody has set aside."""
        self.reason = ""
        """Why the first of those was not."""

    def publish(
        self, messages: Sequence[Message], is_stopped: Callable[[], bool], on_refused: OnRefused | None = None
    ) -> bool:
        """Hand *messages* over once there is room; returns False when *is_stopped* or a failure came first.

        Args:
            messages: a chunk.
            is_stopped: whether it was called off.
            on_refused: sets a message aside; called on the calling thread, in any call of this window. A HaltedError comes out of
                that call, after the others of its chunk were set aside. Without it such a message has failed.

        Raises:
            ConfigurationError: the topic does not exist, or the brokers refuse us or deny us the right to write to it.
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
        self._open.append((self._publisher.publish_async(self._topic, *messages), size, on_refused))
        self._bytes += size
        self._messages += len(messages)
        return True

    def finish(self, close_timeout: float, is_stopped: Callable[[], bool]) -> None:
        """Wait until everything has its outcome; once *is_stopped*, for *close_timeout* seconds at most, and only as long as
        something is confirmed every *quiet_seconds*.

        Raises:
            ConfigurationError: as for `publish`.
        """
        stopped_at: float | None = None
        while self._open:
            self._take_in()
            if stopped_at is None and is_stopped():
                stopped_at = MONOTONIC.now()
            if stopped_at is not None and MONOTONIC.now() >= self._gives_up_at(stopped_at, close_timeout):
                return
            if self._open:
                self._open[0][0].wait(LOOK_SECONDS)

    def _gives_up_at(self, stopped_at: float, close_timeout: float) -> float:
        return gives_up_at(stopped_at, self._publisher.moved_at, close_timeout, self._quiet_seconds)

    @property
    def unconfirmed(self) -> int:
        """Messages that were handed over and are not known to be written."""
        return self._messages + self.failed

    def _take_in(self) -> None:
        while self._open and self._open[0][0].is_done:
            confirmation, size, on_refused = self._open.popleft()
            self._bytes -= size
            self._messages -= len(confirmation.messages)
            self._count(confirmation, on_refused)

    def _count(self, confirmation: Confirmation, on_refused: OnRefused | None) -> None:
        error = confirmation.error
        if error is None:
            self.confirmed += len(confirmation.messages)
            return
        if not isinstance(error, KafkaPublishError):
            self.failed += len(confirmation.messages)
            raise error
        refused = set() if on_refused is None else error.refused
        failed = [reason for place, reason in error.positions.items() if place not in refused]
        self.confirmed += len(confirmation.messages) - len(error.positions)
        self.failed += len(failed)
        self.reason = self.reason or next(iter(failed), "")
        self._raise_what_concerns_all(error)
        if on_refused is not None:
            _set_aside(error, on_refused)

    def _raise_what_concerns_all(self, error: KafkaPublishError) -> None:
        for place, code in error.codes.items():
            if code in UNKNOWN_TOPIC:
                raise ConfigurationError(unknown_topic(self._topic, self._publisher.config.address))
            if code in UNAUTHORIZED:
                raise ConfigurationError(error.positions[place])


def gives_up_at(stopped_at: float, moved_at: float, close_timeout: float, quiet_seconds: float) -> float:
    """Return when a wait for confirmations that was told to end at *stopped_at* ends; the last one came at *moved_at*."""
    return min(stopped_at + close_timeout, max(stopped_at, moved_at) + quiet_seconds)


def _set_aside(error: KafkaPublishError, on_refused: OnRefused) -> None:
    """Hand over all that were refused, also those after the one that halts: they come no second time."""
    halt: HaltedError | None = None
    for place in sorted(error.refused):
        try:
            on_refused(place, error.positions[place])
        except HaltedError as reason:
            halt = halt or reason
    if halt is not None:
        raise halt
