"""Sharing one subscription among several threads, with order kept per message key."""

from __future__ import annotations

import threading
import zlib
from collections import deque
from collections.abc import Callable

from ..clock import MONOTONIC
from ..delivery.message import Message
from ..delivery.run import CHUNK_MESSAGES
from ..errors import SubscriptionClosed
from ..protocols import Subscription
from ..worker_thread import WorkerThread
from .runner import RECEIVE_SECONDS

MAX_QUEUED = 2 * CHUNK_MESSAGES
"""Messages that wait for one thread before the others have to wait with it: key order allows no overtaking."""


class Share:
    """One thread's share of a subscription: a bounded queue."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._messages: deque[Message] = deque()
        self._is_closed = False

    def put(self, messages: list[Message], is_stopping: Callable[[], bool]) -> None:
        """Append *messages*, waiting for room; gives up when *is_stopping* says so."""
        with self._condition:
            while len(self._messages) >= MAX_QUEUED and not is_stopping():
                self._condition.wait(RECEIVE_SECONDS)
            self._messages.extend(messages)
            self._condition.notify_all()

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Return the next messages; see `Subscription.receive`."""
        deadline = MONOTONIC.now() + timeout
        with self._condition:
            while not self._messages and not self._is_closed and MONOTONIC.now() < deadline:
                MONOTONIC.wait_until(self._condition, deadline)
            if self._is_closed and not self._messages:
                raise SubscriptionClosed
            chunk = [self._messages.popleft() for _ in range(min(max_messages, len(self._messages)))]
            self._condition.notify_all()
            return chunk

    def close(self) -> None:
        """Let the receiver see the end once it has received what is here."""
        with self._condition:
            self._is_closed = True
            self._condition.notify_all()


class FanOut:
    """Reads a subscription and deals its messages out to *count* shares by the hash of their key."""

    def __init__(self, name: str, subscription: Subscription, count: int) -> None:
        self.shares = [Share() for _ in range(count)]
        self.thread = WorkerThread(f"{name}-fan-out", self._loop)
        self._subscription = subscription
        self._is_stopping = False

    def stop(self) -> None:
        """Take in nothing new."""
        self._is_stopping = True

    def _loop(self) -> None:
        try:
            while not self._is_stopping:
                self._deal(self._subscription.receive(CHUNK_MESSAGES, RECEIVE_SECONDS))
        except SubscriptionClosed:
            self._is_stopping = True
        finally:
            for share in self.shares:
                share.close()

    def _deal(self, chunk: list[Message]) -> None:
        count = len(self.shares)
        hands: list[list[Message]] = [[] for _ in self.shares]
        for message in chunk:
            key = message.key
            place = message.partition if key is None else zlib.crc32(key)
            hands[place % count].append(message)
        for share, hand in zip(self.shares, hands, strict=True):
            if hand:
                share.put(hand, lambda: self._is_stopping)
