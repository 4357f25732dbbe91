"""What a batcher says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from .buffer import BatchBuffer
from .dispatch import Dispatch
from .flush_threads import FlushThreads

State = Literal["not started", "idle", "collecting", "processing", "waiting", "stopped"]
"""What a batcher does: *collecting* has messages in no batch yet, *processing* a batch in hand, *waiting* one that did not
work and comes again, or that waits for its store."""


class BatcherStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """How far a batcher is, and what it has. See `MessageBatcher.statistics`.

    Args:
        state: what it does.
        buffered: messages that are in no batch yet.
        in_hand: messages in batches that are not done.
        size_bytes: payload bytes of both.
        oldest_age: seconds since the oldest of both came; 0 where there are none.
        batches: batches done.
        messages: messages in them.
        flushes: batches closed, by what triggered it: `size`, `bytes`, `age`, `bound`, `revoke` or `shutdown`.
        retries: attempts on batches beyond the first.
        last_error: what keeps a batch from being done, in a line without secrets; empty while nothing does.

    Example:
        >>> batcher = MessageBatcher(BatchConfig(batch_size=2), lambda batch: None)
        >>> batcher.add(BatchMessage(Message(b"payload"), 1))
        >>> statistics = batcher.statistics()
        >>> statistics.state, statistics.buffered, statistics.size_bytes
        ('collecting', 1, 7)
        >>> batcher.drain(MonotonicClock().now() + 10)
        True
        >>> batcher.statistics().flushes
        {'shutdown': 1}
    """

    state: State
    buffered: int
    in_hand: int
    size_bytes: int
    oldest_age: float
    batches: int
    messages: int
    flushes: Mapping[str, int]
    retries: int
    last_error: str


class Done(NamedTuple):
    """Batches that are done, and the messages in them."""

    batches: int
    messages: int


def look_at(
    buffer: BatchBuffer, dispatch: Dispatch, threads: FlushThreads, done: Done, now: float, *, is_started: bool
) -> BatcherStatistics:
    """Return the statistics of the batcher that these make up. Under its lock."""
    batches = dispatch.in_hand
    times = [each for each in (buffer.oldest, *(batch.oldest for batch in batches)) if each is not None]
    return BatcherStatistics(
        state=_state(buffer, dispatch, threads) if is_started else "not started",
        buffered=len(buffer),
        in_hand=sum(map(len, batches)),
        size_bytes=buffer.size_bytes + sum(batch.size_bytes for batch in batches),
        oldest_age=now - min(times) if times else 0.0,
        batches=done.batches,
        messages=done.messages,
        flushes={trigger.value: count for trigger, count in dispatch.flushes.items()},
        retries=threads.retries,
        last_error=threads.last_error,
    )


def _state(buffer: BatchBuffer, dispatch: Dispatch, threads: FlushThreads) -> State:
    if dispatch.is_over:
        return "stopped"
    if dispatch.in_hand:
        return "waiting" if threads.is_in_trouble else "processing"
    return "idle" if buffer.is_empty else "collecting"
