"""Who may send: whether the publisher is open, which calls have no outcome yet, and when there may be room in the buffer."""

from __future__ import annotations

import copy
import math
import threading

from confluent_kafka import KafkaError

from ...clock import MONOTONIC
from ...errors import MillstreamError, StateError
from .confirmation import Confirmation


class NotSent(Exception):
    """A message never got into the buffer; raised by who sends, and told as the outcome of that message.

    Args:
        code: of `KafkaError`.
    """

    def __init__(self, reason: str, code: int) -> None:
        self.code = code
        super().__init__(reason)


class Patience:
    """How long one call has waited for room; shared by its messages, so that a call has one deadline and not one for each."""

    __slots__ = ("since",)

    def __init__(self) -> None:
        self.since: float | None = None


class Gate:
    """What calls and the poll thread know of each other. Thread-safe."""

    def __init__(self) -> None:
        self.end: MillstreamError | None = None
        """Why nothing is sent any more."""
        self.closes_at = math.inf
        """When calls without an outcome are given up."""
        self.polls = 0
        """Polls that took in something: room may have been made."""
        self.moved_at = MONOTONIC.now()
        """When anything was last confirmed; before that, when it was made."""
        self._outstanding: set[Confirmation] = set()
        self._condition = threading.Condition()

    def enter(self, confirmation: Confirmation) -> None:
        """Expect the outcome of a call from now on.

        Raises:
            StateError: closed.
            MillstreamError: what ended it before.
        """
        with self._condition:
            if self.end is not None:
                raise copy.copy(self.end)  # one object for all would gather their frames
            if self.closes_at < math.inf:
                raise StateError("the Kafka publisher is closed")
            self._outstanding.add(confirmation)

    def leave(self, confirmation: Confirmation) -> None:
        """Take note that a call has its outcome."""
        with self._condition:
            self._outstanding.discard(confirmation)

    @property
    def is_done(self) -> bool:
        """Whether it closes and every call has its outcome."""
        with self._condition:
            return self.closes_at < math.inf and not self._outstanding

    def wait_for_room(self, polls: int, patience: Patience, seconds: float) -> None:
        """Wait until something was taken in since *polls* were counted.

        Raises:
            NotSent: closed, or nothing was confirmed for *seconds*.
        """
        if patience.since is None:
            patience.since = MONOTONIC.now()
        with self._condition:
            while self.polls == polls:
                if self.end is not None or self.closes_at < math.inf:
                    reason = "not sent: the publisher was closed while the buffer was full"
                    raise NotSent(reason, KafkaError._PURGE_QUEUE)
                # As long as anything is confirmed, a call that is larger than the buffer is getting on.
                deadline = max(patience.since, self.moved_at) + seconds
                if MONOTONIC.now() >= deadline:
                    reason = f"not sent: the buffer was full, and nothing confirmed for {seconds:g} s"
                    raise NotSent(reason, KafkaError._QUEUE_FULL)
                MONOTONIC.wait_until(self._condition, deadline)

    def take_poll(self, *, is_moving: bool) -> None:
        """Take note of a poll that took in something, and whether anything was confirmed; wakes who waits for room."""
        with self._condition:
            self.polls += 1
            if is_moving:
                self.moved_at = MONOTONIC.now()
            self._condition.notify_all()

    def close(self, seconds: float) -> float:
        """Let nobody in any more; returns when those that are in are given up: *seconds* after the first such call."""
        with self._condition:
            self.closes_at = min(self.closes_at, MONOTONIC.now() + seconds)
            self._condition.notify_all()
            return self.closes_at

    def stop(self, end: MillstreamError) -> None:
        """Refuse everything from now on, and end every call that still waits, with *end*."""
        with self._condition:
            self.end = end
            outstanding = list(self._outstanding)
            self._condition.notify_all()
        for confirmation in outstanding:
            confirmation.abort(end)
