"""The message batcher: takes messages from any number of handlers, hands them over in batches on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from millstream.router import MONOTONIC, Assignment, Cancelled, Clock, HaltedError
from millstream.router.delivery.outliving import outliving
from millstream.router.delivery.run import Entry, MessageRun

from .arguments import require_given, require_items, require_right
from .attaching import Attachable
from .attempts import Mending
from .batch import ProcessBatch, Trigger
from .batch_message import BatchMessage
from .batch_run import BatchRun
from .budget import Budget
from .buffer import BatchBuffer
from .config import BatchConfig
from .dispatch import Dispatch
from .ending import Ending
from .flush import Flush
from .flush_threads import FlushThreads
from .gate import InsertGate
from .log_lines import log_closed, log_done, log_lost, log_started
from .statistics import BatcherStatistics, Done, look_at

ROOM_SECONDS = 0.05
"""How often `add` looks whether it should give up waiting for room."""


class MessageBatcher(Attachable):
    """Accumulates messages and flushes them by size, bytes, age, a bound, a revoke and at shutdown.

    `attach` gives it the messages of a topic. A handler of one's own calls `add`, which holds the message and returns; its router
    has to be told, by `Router.add_worker`, to start and drain the batcher. The hold is released when `process_batch` has done its
    part. Without a router it starts at the first `add`; call `drain` then.

    Args:
        config, process_batch: when to flush and how to retry; and what to do, see `ProcessBatch`.
        name, clock: what its thread and its log lines are called; and what tells the time.
        gate, rank: shared by batchers that insert into one store; the *rank* says who goes first (0 before 1).
        budget: shared by batchers that have one bound for what is in memory, in place of `max_pending_bytes`.

    Raises:
        ConfigurationError: *config* or *process_batch* is not what it should be, such as an async function; says what to pass.

    Example:
        >>> def process(batch):
        ...     print([each.item for each in batch])
        >>> batcher = MessageBatcher(BatchConfig(batch_size=2), process)
        >>> for number in (1, 2):
        ...     batcher.add(BatchMessage(Message(b"payload"), number))
        >>> batcher.drain(MonotonicClock().now() + 10)
        [1, 2]
        True
    """

    def __init__(
        self,
        config: BatchConfig,
        process_batch: ProcessBatch,
        *,
        name: str = "batcher",
        gate: InsertGate | None = None,
        rank: int = 0,
        budget: Budget | None = None,
        clock: Clock = MONOTONIC,
    ) -> None:
        require_right(name, config, process_batch)
        self.config = config
        self.name = name
        self._clock = clock
        self._lock = threading.Lock()
        self._condition = threading.Condition(self._lock)
        self._buffer = BatchBuffer(config, budget)
        self._is_full = False
        self._is_started = False
        self.is_unheld = False
        """Whether what it has is committed already: lost with the process."""
        self.mending = Mending()
        """Says once what somebody has to mend."""
        self._ending = Ending(clock)
        gate, at_once = gate or InsertGate(config.at_once), range(config.at_once)
        open_flush = partial(Flush, self, config, process_batch, gate=gate, rank=rank, ending=self._ending, clock=clock)
        self._threads = FlushThreads(name, [open_flush() for _ in at_once], self._run)
        self._dispatch = Dispatch(self._buffer, self._condition, clock, lambda: self._threads.is_in_trouble)
        self.flushes = 0
        """Batches done."""
        self.messages = 0
        """Messages in them."""

    def add(self, item: BatchMessage) -> None:
        """Hold the message of *item* and put it into the next batch. Thread-safe; returns at once, waits only at a bound.

        Adding the same item of the same delivery again does nothing, so a retried handler adds no second row.

        Raises:
            Cancelled: it was drained, or the router closes, or the partition goes, while it waits for room.
            HaltedError: its thread has died; no retry helps, and the message is not to blame.
            ConfigurationError: a handler's message, and the router was not given the batcher; or *item* is no `BatchMessage`.
        """
        try:
            if self._is_full or not self._is_started:
                self._prepare(item.message)
            message = item.message
            if not message.delivery.hold(self, item.index, message.assignment):
                return
        except AttributeError:
            require_items(self.name, [item])
            raise
        with self._lock:
            buffer = self._buffer
            if buffer.is_closed:
                raise Cancelled  # the hold stays out, so the message is not settled
            part = item.part
            wake = buffer.add(item, len(message.payload if part is None else part))
            if wake:
                buffer.start_age(self._clock.now())
                self._is_full = not buffer.find_room() or self._threads.is_blocked
                self._condition.notify_all()

    def add_all(self, items: Sequence[BatchMessage]) -> None:
        """Add *items*, the parts of one message, as `add` does each of them: all, or none.

        Waits for room before the first only: what waits between two of them could be stored in part, and come again whole.

        Raises:
            Cancelled, HaltedError, ConfigurationError: as for `add`.
        """
        try:
            if items and (self._is_full or not self._is_started):
                self._prepare(items[0].message)
            with self._lock:
                if self._buffer.is_closed:
                    raise Cancelled
                wakes = [self._put(item) for item in items]
                if any(wakes):
                    self._buffer.start_age(self._clock.now())
                    self._is_full = not self._buffer.find_room() or self._threads.is_blocked
                    self._condition.notify_all()
        except (AttributeError, TypeError):
            require_items(self.name, items)
            raise

    def _put(self, item: BatchMessage) -> bool:
        if not item.message.delivery.hold(self, item.index, item.message.assignment):
            return False
        return self._buffer.add(item, len(item.payload))

    def add_run(self, run: MessageRun, items: Sequence[Any]) -> None:
        """Hold the messages of *run*, of which *items* were parsed, one of each, and put them into the next batch; see `add`.

        Raises:
            Cancelled, HaltedError, ConfigurationError: as for `add`.
        """
        if self._is_full or not self._is_started:
            self._prepare(run)
        if not run.hold(self):
            return
        with self._lock:
            if self._buffer.is_closed:
                raise Cancelled
            if self._buffer.add_run(BatchRun(run, items)):
                self._buffer.start_age(self._clock.now())
                self._is_full = not self._buffer.find_room() or self._threads.is_blocked
                self._condition.notify_all()

    def add_unheld(self, item: BatchMessage) -> None:
        """Put *item* into the next batch, and let its message be committed before that is done: at most once.

        It outlives its partition, and is lost with the process. Else as `add`: repeated, it adds no second row.
        """
        self.is_unheld = True
        try:
            if self._is_full or not self._is_started:
                self._prepare(item.message)
            message = item.message
            # Held for as long as it takes to add it, which also tells a repetition.
            if not message.delivery.hold(self, item.index, message.assignment):
                return
        except AttributeError:
            require_items(self.name, [item])
            raise
        self.add(BatchMessage(outliving(message), item.item, item.index, item.part))
        message.delivery.release(self, item.index)

    def _prepare(self, entry: Entry) -> None:
        if self._dispatch.is_draining:
            raise Cancelled
        if not self._is_started:
            require_given(self.name, entry)
        self.start()
        context = entry.context
        with self._condition:
            while self._threads.is_blocked or not self._buffer.find_room():
                if (error := self._threads.error) is not None:
                    raise HaltedError(f"{self.name} has stopped: {error}") from error
                if context.is_closing or self._dispatch.is_draining:
                    raise Cancelled
                self._buffer.request(Trigger.BOUND)
                self._condition.notify_all()
                self._condition.wait(ROOM_SECONDS)
            self._is_full = False

    def start(self) -> None:
        """Start the flush thread, behind the `prepare` of `process_batch` where it has one; does nothing when it runs."""
        self._threads.prepare()
        with self._condition:
            if self._is_started:
                return
            self._is_started = True
            self._buffer.join()
        log_started(self.name, self.config)
        self._threads.start()

    @property
    def error(self) -> BaseException | None:
        """What a thread of its own died of."""
        return self._threads.error

    @property
    def is_on_own_thread(self) -> bool:
        """Whether one of its own threads is asking: that cannot wait for its own end."""
        return self._threads.is_current

    @property
    def last_error(self) -> str:
        """What keeps the batch in hand from being done, and since when; empty while nothing does. See `TellsLastError`."""
        return self._threads.last_error

    @property
    def pending(self) -> int:
        """Messages added that are not in a batch yet."""
        return len(self._buffer)

    @property
    def retries(self) -> int:
        """Attempts on batches beyond the first."""
        return self._threads.retries

    def statistics(self) -> BatcherStatistics:
        """Return what it has and how far it is, at one moment. From any thread."""
        with self._lock:
            now, is_started, done = self._clock.now(), self._is_started, Done(self.flushes, self.messages)
            return look_at(self._buffer, self._dispatch, self._threads, done, now, is_started=is_started)

    def seal(self, assignments: Sequence[Assignment], deadline: float) -> None:
        """Flush what is here, ahead of any other lane; returns at once."""
        with self._condition:
            self._ending.leave_by(assignments, deadline)
            self._dispatch.flush(Trigger.REVOKE)

    def abandon(self, assignments: Sequence[Assignment]) -> None:
        """Drop the rows of lost assignments that are in no batch yet."""
        with self._condition:
            self._buffer.discard_void()
            self._condition.notify_all()

    def drain(self, deadline: float) -> bool:
        """Flush what is left and stop; returns whether nothing was left at *deadline* (monotonic seconds)."""
        with self._condition:
            self._dispatch.is_draining = True
            self._ending.close_by(deadline)
            self._dispatch.flush(Trigger.SHUTDOWN)
            if not self._is_started:
                return True
        ended = self._threads.join(deadline)
        if self.is_unheld and (lost := self._dispatch.messages):
            log_lost(self.name, lost)
        return ended and self._buffer.is_empty and self._threads.is_done

    def _run(self, flush: Flush) -> None:
        try:
            while flush.is_done and (batch := self._dispatch.next_batch()) is not None:
                log_closed(self.name, batch)
                is_processed = flush.run(batch)
                if is_processed:
                    log_done(self.name, batch)
                with self._condition:
                    self.flushes += is_processed
                    self.messages += len(batch) if is_processed else 0
                    self._dispatch.give_back(batch, is_done=flush.is_done)
                    self._is_full = not self._buffer.find_room() or self._threads.is_blocked
        finally:
            self._dispatch.end()

    def stop_intake(self) -> None:
        """Let `add` wait until the batch that cannot be processed now is done. For the flush."""
        # Under the lock: an `add` that looked before the flush was blocked must not write over this.
        with self._lock:
            self._is_full = True

    @property
    def is_urgent(self) -> bool:
        """Whether a revoke or the shutdown waits for the flush."""
        return self._dispatch.is_urgent
