"""Going through poison records and sending their messages back, in chunks that are noted with what is sent."""

from __future__ import annotations

import contextlib
import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from millstream.middleware.throttle import TokenBucket
from millstream.router import MONOTONIC
from millstream.router.clock import Clock
from millstream.router.kafka.publishing.transactions import Refused

from .filters import Filter
from .records import PoisonRecord
from .sending_back import Back, Left, Rules
from .sources import Item, Outbox, Source

CHUNK_MESSAGES = 1000
"""Sent in one transaction, which takes some 30 ms: what a process that is killed has sent in vain."""
CHUNK_BYTES = 4 * 1024 * 1024
"""The same in bytes of payload: far below what a producer holds."""
PARTS_OF_A_SECOND = 10
"""With a rate a chunk is a tenth of a second's messages, so that they come evenly."""
WAIT_SECONDS = 0.1
"""How often a wait for the rate looks whether it was called off."""
MAX_PLACES = 3
"""Named of what is left; `dlq show` shows them."""


class Pace:
    """Waits so that no more than *rate* messages a second are sent.

    Args:
        rate: messages a second; `None`: no limit.
        clock: tells the time.
        wait: waits for so many seconds.
    """

    def __init__(
        self, rate: float | None, clock: Clock = MONOTONIC, wait: Callable[[float], object] | None = None
    ) -> None:
        self._bucket = None if rate is None else TokenBucket(rate, 1)
        self._clock = clock
        self._wait = threading.Event().wait if wait is None else wait
        self.chunk_messages = CHUNK_MESSAGES
        """How many go together."""
        if rate is not None:
            self.chunk_messages = min(CHUNK_MESSAGES, max(1, math.floor(rate / PARTS_OF_A_SECOND)))

    def take(self, count: int, is_stopped: Callable[[], bool]) -> None:
        """Wait until *count* messages may go, or *is_stopped*."""
        if self._bucket is None or not count:
            return
        now = self._clock.now()
        until = now + max(self._bucket.reserve(now) for _ in range(count))
        while (left := until - self._clock.now()) > 0 and not is_stopped():
            self._wait(min(left, WAIT_SECONDS))


class Replay:
    """One walk through the sources, which counts what goes where and what is left; with an outbox it also sends.

    Args:
        wanted: which records.
        rules: what becomes of them.
        limit: how many messages at most; `None`: all.
        pace: how fast.
        is_stopped: whether it was called off.
    """

    def __init__(
        self,
        wanted: Filter,
        rules: Rules,
        *,
        limit: int | None = None,
        pace: Pace | None = None,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._wanted = wanted
        self._rules = rules
        self._limit = limit
        self.pace = Pace(None) if pace is None else pace
        """How fast, and in chunks of what size."""
        self._is_stopped = is_stopped
        self.sent: Counter[tuple[str, str]] = Counter()
        """Messages by source and topic: confirmed, or without an outbox those that would be sent."""
        self.left: Counter[Left] = Counter()
        """Records that are wanted and stay."""
        self.places: dict[Left, list[str]] = {}
        """Where the first of them are."""
        self.reasons: list[str] = []
        """What their topics have said of messages that they do not take."""
        self._taken = 0

    def walk(self, source: Source, outbox: Outbox | None) -> None:
        """Go through what is left of *source*; raises what the two do."""
        chunk: list[Item] = []
        size = 0
        with contextlib.closing(source.read_left(self._is_stopped)) as chunks:
            for record in (record for records in chunks for record in records):
                if self._is_full or self._is_stopped():
                    break
                if record.is_replayed or not self._wanted.matches(record):
                    continue
                item = self._judge(record)
                if item is None:
                    continue
                chunk.append(item)
                size += len(record.message.payload)
                if len(chunk) >= self.pace.chunk_messages or size >= CHUNK_BYTES:
                    self._hand_over(source, chunk, outbox)
                    chunk, size = [], 0
        self._hand_over(source, chunk, outbox)

    @property
    def _is_full(self) -> bool:
        return self._limit is not None and self._taken >= self._limit

    def _judge(self, record: PoisonRecord) -> Item | None:
        """Return what is done with *record*; `None`: it stays, and may go another time."""
        verdict = self._rules.judge(record)
        if isinstance(verdict, Back):
            self._taken += 1
            return record, verdict
        self._leave(record, verdict)
        # What is cut can never go: noted as done with, it is in nobody's way.
        return (record, None) if verdict is Left.CUT else None

    def _leave(self, record: PoisonRecord, why: Left) -> None:
        self.left[why] += 1
        places = self.places.setdefault(why, [])
        if len(places) < MAX_PLACES:
            places.append(record.place)

    def _hand_over(self, source: Source, chunk: Sequence[Item], outbox: Outbox | None) -> None:
        if outbox is not None:
            self.pace.take(sum(back is not None for _, back in chunk), self._is_stopped)
            if not self._is_stopped():
                self._send(source, chunk, outbox)
        else:
            self._count(source, chunk)

    def _send(self, source: Source, chunk: Sequence[Item], outbox: Outbox) -> None:
        """Send *chunk*; where it is refused its halves, until the one is found that its topic does not take."""
        if not chunk:
            return
        try:
            outbox.send(chunk)
        except Refused as error:
            if len(chunk) > 1:
                half = len(chunk) // 2
                self._send(source, chunk[:half], outbox)
                self._send(source, chunk[half:], outbox)
                return
            self._leave(chunk[0][0], Left.REFUSED)
            self.reasons.append(str(error))
        else:
            self._count(source, chunk)

    def _count(self, source: Source, chunk: Sequence[Item]) -> None:
        self.sent.update((source.name, back.topic) for _, back in chunk if back is not None)
