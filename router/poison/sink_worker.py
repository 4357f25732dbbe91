"""The thread behind a handler's poison sink: takes messages at once, settles them when their record is safe.

A message comes in two ways. From the chain (`PoisonQueue`, or too many redeliveries): it is void for everybody else from then on.
From an owner that failed its hold: it waits for the other holds first, so that there is one record with the first error.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from loguru import logger

from ..clock import MONOTONIC
from ..delivery.assignment import Assignment
from ..delivery.message import Message
from ..delivery.mistakes import Mistakes
from ..errors import HaltedError, reason_of
from ..tracebacks import forget_traceback
from ..worker_thread import WorkerThread
from .block import Block, forget_tracebacks
from .choices import NotWritten, PoisonWriter
from .ready import Ready
from .storm import StormGuard, line_of

RETRY_SECONDS = 1.0
"""Between attempts to write: a full disk or an absent broker is not mended faster."""
LOOK_AGAIN_SECONDS = 0.05
"""How soon a message is looked at again whose other holds are not in: they settle without telling the sink."""


class SinkWorker:
    """Writes the poisoned messages of one handler on its own thread.

    Args:
        handler: its name.
        writer: where records go.
        guard: says when there are too many; `None`: never.
        halt: stops the router then.
    """

    def __init__(
        self,
        handler: str,
        writer: PoisonWriter,
        guard: StormGuard | None = None,
        halt: Callable[[BaseException], None] = lambda _error: None,
    ) -> None:
        self.name = f"poison-{handler}"
        self.poisoned = 0
        """Messages whose record is safe."""
        self.last_reason = ""
        """Why the last of them was set aside; a text, as an error would keep its message alive."""
        self._handler = handler
        self._writer = writer
        self._mistakes = Mistakes(self.name)
        self._guard = guard
        self._halt = halt
        self._condition = threading.Condition()
        self._ready = Ready()
        self._waiting: list[Message] = []
        """Messages whose other holds are not in."""
        self._deadline: float | None = None
        self._is_blocked = False
        self._thread = WorkerThread(self.name, self._run)

    def take(self, message: Message, error: BaseException) -> None:
        """Take over *message* while its chain runs; its holds become void.

        Raises:
            HaltedError: there are too many; it gets no record and is never settled.
        """
        if not message.delivery.poison(error):
            return
        with self._condition:
            refusal = self._refuse(error, None)
            if refusal is None:
                self._ready.put(message)
                self._condition.notify_all()
        if refusal is not None:
            # Told as well as raised: a middleware of the user's may swallow what is raised.
            self._halt(refusal)
            raise refusal

    def take_failed(self, message: Message) -> None:
        """Take over *message*, of which a hold was failed, once its other holds are in; past the limits the router halts."""
        failure = message.failures[0]
        # What fails while its chain runs is the chain's: an owner's own messages come with its batches, far behind.
        owner = None if message.delivery.is_running else failure.owner
        with self._condition:
            refusal = self._refuse(failure.error, owner)
            if refusal is None:
                self._waiting.append(message)
                self._condition.notify_all()
        if refusal is not None:
            self._halt(refusal)

    def count_done(self, owner: object, count: int) -> None:
        """See `PoisonSink.count_done`."""
        if self._guard is not None:
            with self._condition:
                self._guard.count_done(owner, count)

    def count_begun(self, more: int) -> None:
        """See `PoisonSink.count_begun`."""
        if self._guard is not None:
            with self._condition:
                self._guard.count_begun(more)

    def count_failed(self, owner: object, error: BaseException) -> None:
        """See `PoisonSink.count_failed`."""
        with self._condition:
            refusal = self._refuse(error, owner)
        if refusal is not None:
            self._halt(refusal)

    @property
    def is_halted(self) -> bool:
        """Whether it takes nothing more."""
        return self._guard is not None and self._guard.halted is not None

    def _refuse(self, error: BaseException, owner: object) -> HaltedError | None:
        return None if self._guard is None else self._guard.refuse(error, owner)

    @property
    def error(self) -> BaseException | None:
        """What the thread died of."""
        return self._thread.error

    @property
    def is_on_own_thread(self) -> bool:
        """Whether one of its own threads is asking: that cannot wait for its own end."""
        return self._thread.is_current

    @property
    def last_error(self) -> str:
        """Why records are not written, and since when; empty while they are. See `TellsLastError`."""
        return self._thread.last_error.text

    @property
    def is_blocked(self) -> bool:
        """Whether records cannot be written right now; the handler then takes in nothing new."""
        return self._is_blocked or self._ready.is_full

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def seal(self, assignments: Sequence[Assignment], deadline: float) -> None:
        """Try at once what waits to be tried again; everything else is written as it comes."""
        with self._condition:
            self._condition.notify_all()

    def drain(self, deadline: float) -> bool:
        """Write what is left until *deadline*, stop, and close the writer; returns whether nothing was left."""
        with self._condition:
            self._deadline = deadline
            self._condition.notify_all()
        ended = self._thread.join(deadline)
        if ended:
            self._writer.close()
        return ended and not self._ready and not self._waiting

    def abandon(self, assignments: Sequence[Assignment]) -> None:
        """Drop the messages of *assignments*: they come again to somebody else. Those that wait for holds are void already."""
        gone = set(map(id, assignments))
        with self._condition:
            for message in self._ready.drop(lambda message: id(message.assignment) in gone):
                forget_tracebacks(message)

    def _run(self) -> None:
        while (batch := self._next_batch()) and self._write(batch):
            pass

    def _next_batch(self) -> list[Message]:
        """Wait for messages that can be written; returns `[]` when the sink has drained or its deadline is over."""
        with self._condition:
            while True:
                self._look_at_waiting()
                if self._ready:
                    return self._ready.take()
                if self._deadline is not None and self._is_over(self._deadline):
                    return []
                self._condition.wait(LOOK_AGAIN_SECONDS if self._waiting else None)

    def _is_over(self, deadline: float) -> bool:
        # Nobody settles what waits for the holds of a batcher that has halted.
        return not self._waiting or self.is_halted or MONOTONIC.now() >= deadline

    def _look_at_waiting(self) -> None:
        """Sort the waiting messages: ready, still waiting, or nobody's business any more."""
        still_waiting = []
        for message in self._waiting:
            if message.is_void:
                forget_tracebacks(message)
                continue  # gone with its assignment, or taken already: one record for a message, however many failed it
            if message.is_held:
                still_waiting.append(message)
                continue
            if message.delivery.poison_failed():
                self._ready.put(message)
        self._waiting = still_waiting

    def _write(self, batch: list[Message]) -> bool:
        """Write the records of *batch* until all are safe and confirmed; returns False when the sink has to stop before."""
        block = Block(batch)
        goes_on = True
        while goes_on and block.drop_what_is_lost():
            try:
                self._writer.write(block.records)
            except NotWritten as error:
                self._confirm(block.keep(error))
                goes_on = block.was_cut or self._wait_to_retry(error)
            except Exception as error:  # noqa: BLE001 - any failure of a user's writer means "not safe yet"
                self._mistakes.tell(error)
                goes_on = self._wait_to_retry(error)
            else:
                self._confirm(block.messages)
                self._is_blocked = False
                self._thread.last_error.clear()
                return True
        if goes_on:  # nothing is left of it
            self._is_blocked = False
            self._thread.last_error.clear()
        self._put_back(block.messages)
        return goes_on

    def _put_back(self, messages: list[Message]) -> None:
        with self._condition:
            self._ready.put_back(messages)

    def _wait_to_retry(self, error: Exception) -> bool:
        self._thread.last_error.note(error)
        forget_traceback(error)
        if not self._is_blocked:
            log = logger.bind(sink=repr(self._writer))
            log.error("poison record not written, intake stops: {error}", error=reason_of(error))
        self._is_blocked = True
        with self._condition:
            now = MONOTONIC.now()
            if self._deadline is not None and now >= self._deadline:
                return False
            until = now + RETRY_SECONDS if self._deadline is None else min(now + RETRY_SECONDS, self._deadline)
            MONOTONIC.wait_until(self._condition, until)
            return True

    def _confirm(self, batch: list[Message]) -> None:
        if batch:
            self.last_reason = reason_of(batch[-1].failures[0].error)
            if not self.poisoned and not getattr(self._writer, "says_itself", False):
                self._tell_first(batch[0])
        self.poisoned += len(batch)
        for message in batch:
            forget_tracebacks(message)
            message.delivery.confirm()
        for assignment in {id(m.assignment): m.assignment for m in batch}.values():
            if assignment is not None:
                assignment.wake()

    def _tell_first(self, message: Message) -> None:
        """Say that there is something to look at: a line for each message would be as many lines as a topic has."""
        where, error = repr(self._writer), line_of(message.failures[0].error)
        log = logger.bind(handler=self._handler)
        log.warning(f"first message set aside, in {where}; later ones are only counted: {message!r}: {error}")
