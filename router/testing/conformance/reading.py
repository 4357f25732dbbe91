"""Reading a subscription to the end that a case expects, without ever sleeping.

A read gives up when nothing new came for the idle time-out: a whole read may take long, a silence may not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ...clock import MONOTONIC
from ...delivery.message import Message
from ...errors import SubscriptionClosed
from ...protocols import Subscription
from .checks import require

CHUNK_MESSAGES = 100
"""Asked for at a time: small enough that several readers of one topic all get some."""
LOOK_AGAIN_SECONDS = 0.02
"""How long one of many readers waits before it looks whether the others have everything."""

Verdict = Callable[[Message], object]


class Intake:
    """What several readers have received so far; each message is taken in before it is acked. Thread-safe."""

    def __init__(self, count: int, idle_timeout: float, *, by_uuid: bool) -> None:
        self._count = count
        self._idle_timeout = idle_timeout
        self._by_uuid = by_uuid
        self._seen: set[str] = set()
        self._messages: list[Message] = []
        self._lock = threading.Lock()
        self._deadline = MONOTONIC.now() + idle_timeout

    def take(self, message: Message) -> None:
        """Take in *message*, unless it is known and counts once."""
        with self._lock:
            if self._by_uuid and message.uuid in self._seen:
                return
            self._seen.add(message.uuid)
            self._messages.append(message)
            self._deadline = MONOTONIC.now() + self._idle_timeout

    @property
    def missing(self) -> int:
        """How many are still to come."""
        with self._lock:
            return max(0, self._count - len(self._messages))

    @property
    def seconds_left(self) -> float:
        """How long it is still worth waiting: until the idle time-out, and not at all once everything is in."""
        return max(0.0, self._deadline - MONOTONIC.now()) if self.missing else 0.0

    @property
    def messages(self) -> list[Message]:
        """What came, in order of arrival."""
        with self._lock:
            return list(self._messages)


def read(
    subscription: Subscription, count: int, idle_timeout: float, *, by_uuid: bool = True, verdict: Verdict = Message.ack
) -> list[Message]:
    """Receive *count* messages, or as many as come before *idle_timeout* seconds without a new one.

    Args:
        by_uuid: count each uuid once.
        verdict: what is called with each message, repeated ones included; by default it is acked.
    """
    intake = Intake(count, idle_timeout, by_uuid=by_uuid)
    while seconds := intake.seconds_left:
        if not _read_chunk(subscription, intake, seconds, verdict):
            break
    return intake.messages


def read_merged(
    subscriptions: Sequence[Subscription], count: int, idle_timeout: float, *, by_uuid: bool = True
) -> list[Message]:
    """Receive *count* messages from all of *subscriptions*, each on a thread of its own; see `read`."""
    intake = Intake(count, idle_timeout, by_uuid=by_uuid)

    def read_share(subscription: Subscription) -> None:
        while intake.seconds_left and _read_chunk(subscription, intake, LOOK_AGAIN_SECONDS, Message.ack):
            pass

    with ThreadPoolExecutor(len(subscriptions)) as readers:
        list(readers.map(read_share, subscriptions))
    return intake.messages


def receive(subscription: Subscription, count: int, idle_timeout: float) -> list[Message]:
    """Receive *count* messages, repeated ones included, and leave them as they are; all of them must come."""
    messages: list[Message] = []
    while len(messages) < count:
        messages += next_chunk(subscription, count - len(messages), idle_timeout)
    return messages


def next_chunk(subscription: Subscription, max_messages: int, idle_timeout: float) -> list[Message]:
    """Receive up to *max_messages*; at least one must come."""
    deadline = MONOTONIC.now() + idle_timeout
    while True:
        chunk = subscription.receive(max_messages, max(0.0, deadline - MONOTONIC.now()))
        if chunk:
            return chunk
        require(MONOTONIC.now() < deadline, f"nothing was delivered for {idle_timeout:g} s")


def _read_chunk(subscription: Subscription, intake: Intake, seconds: float, verdict: Verdict) -> bool:
    """Take in one chunk; returns whether the subscription is still open."""
    try:
        chunk = subscription.receive(max(1, min(CHUNK_MESSAGES, intake.missing)), seconds)
    except SubscriptionClosed:
        return False
    for message in chunk:
        intake.take(message)
        verdict(message)
    return True
