"""What became of one publish call, message by message."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence

from loguru import logger

from ...delivery.message import Message
from ...errors import MillstreamError
from .errors import KafkaPublishError


class Confirmation:
    """The outcome of one call of `publish_async`, as it comes in. Thread-safe.

    Args:
        topic: where the messages go.
        messages: what was given to the call.
        on_done: called once with this confirmation when every message has an outcome, on whichever thread learns of the
            last one (mostly the publisher's poll thread, which must not be kept waiting). What it raises is logged, also
            `SystemExit`, which ends nothing there; only a `KeyboardInterrupt` of the main thread goes on to its caller.
    """

    def __init__(
        self, topic: str, messages: Sequence[Message], on_done: Callable[[Confirmation], None] | None = None
    ) -> None:
        self.topic = topic
        self.messages = messages
        self.failures: dict[int, str] = {}
        """The reason for each message that was not confirmed, by its place in the call. Complete once `is_done`."""
        self.codes: dict[int, int] = {}
        """Kafka's number for each of those reasons; see `KafkaPublishError`."""
        self._on_done = on_done
        self._cause: MillstreamError | None = None
        self._open = len(messages)
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._before_done: Callable[[Confirmation], None] | None = None

    @property
    def is_done(self) -> bool:
        """Whether every message has an outcome."""
        return self._done.is_set()

    @property
    def error(self) -> MillstreamError | None:
        """What `result` raises once `is_done`, a new one each time; `None`: all are confirmed, or it is not done."""
        if not self.is_done:
            return None
        if self._cause is not None:
            # Raised twice, one object would gather the frames of both callers, and keep what they hold.
            return copy.copy(self._cause)
        return KafkaPublishError(self.topic, self.messages, self.failures, self.codes) if self.failures else None

    def wait(self, timeout: float | None = None) -> bool:
        """Block until every message has an outcome; returns False after *timeout* seconds."""
        return self._done.wait(timeout)

    def result(self) -> None:
        """Block until every message has an outcome.

        Raises:
            KafkaPublishError: names those that were not confirmed.
            ConfigurationError: the brokers refuse us; nothing further is sent.
            MillstreamError: the client cannot go on, or the call was interrupted: what it sent may have been written.
        """
        self.wait()
        if (error := self.error) is not None:
            raise error

    def start(self, before_done: Callable[[Confirmation], None]) -> None:
        """Expect the outcomes from now on; *before_done* is told first. For publishers."""
        self._before_done = before_done
        if not self.messages:
            self._finish()

    def confirm(self) -> None:
        """Take in that one message is confirmed. Called once per message, or `refuse` is; for publishers."""
        with self._lock:
            if self._cause is not None:
                return
            self._open -= 1
            is_last = self._open == 0
        if is_last:
            self._finish()

    def refuse(self, position: int, reason: str, code: int) -> None:
        """Take in that the message at *position* is not confirmed, for good. For publishers."""
        with self._lock:
            if self._cause is not None:
                return
            self.failures[position] = reason
            self.codes[position] = code
            self._open -= 1
            is_last = self._open == 0
        if is_last:
            self._finish()

    def abort(self, cause: MillstreamError) -> None:
        """End with *cause* for all that have no outcome, and for the whole. For publishers."""
        with self._lock:
            if self._open == 0 or self._cause is not None:
                return
            self._cause = cause
        self._finish()

    def _finish(self) -> None:
        if self._before_done is not None:
            self._before_done(self)
        self._done.set()
        if self._on_done is None:
            return
        try:
            self._on_done(self)
        except BaseException as error:  # a user's callback must not end the poll thread of everybody
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise
            logger.bind(topic=self.topic).opt(exception=error).error("on_done of a publish call raised")
