"""One thread that takes chunks of messages through a handler's chain.

The loop in `_dispatch` is the way of every message; what is not needed for a good message is elsewhere.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from operator import length_hint
from typing import Protocol

from loguru import logger

from ..delivery.assignment import Assignment
from ..delivery.message import Assigned, Message, PoisonSink
from ..delivery.mistakes import tell_mistake
from ..delivery.parking import Parking
from ..delivery.run import CHUNK_MESSAGES, Entry
from ..delivery.settlement import ACKED, NACKED, RETURNED, RUNNING
from ..errors import Cancelled, PermanentError, PublishError, SubscriptionClosed, TransientError, is_about_us, text_of
from ..protocols import HandlerFunc, Prepare
from ..tracebacks import forget_traceback
from ..worker_thread import WorkerThread

RECEIVE_SECONDS = 0.02
"""How long an idle thread waits before it looks whether it should stop or retry something."""
MAX_DOUBLINGS = 60
"""Of a delay: past that any is at its limit, and past 1,000 a float overflows."""


class Source(Protocol):
    """Where a runner gets its chunks: a subscription, or its share of one."""

    def receive(self, max_messages: int, timeout: float) -> list[Message]:
        """Return the next chunk, `[]` after *timeout* seconds; raises `SubscriptionClosed` at the end."""
        ...


class Nacked(Exception):
    """The handler called `nack()` and raised nothing; what the log and the poison record then say."""

    def __str__(self) -> str:
        return "nacked by its handler"


class Retries:
    """How a runner delivers a message again that was not handled.

    Args:
        delay: seconds before the first redelivery; each later one waits twice as long.
        max_delay: seconds that this grows to at most; a longer *delay* stays what it is.
        limit: redeliveries before the poison sink takes the message; without a sink there is no limit.
    """

    def __init__(self, delay: float, max_delay: float, limit: int) -> None:
        self.limit = limit
        self._delay = delay
        self._max_delay = max(delay, max_delay)

    def delay(self, redeliveries: int) -> float:
        """Return the seconds before the next redelivery of a message that has had some."""
        return min(self._delay * 2.0 ** min(redeliveries, MAX_DOUBLINGS), self._max_delay)


class Runner:
    """Handles the messages of one source, in order per key, on one thread."""

    failure: Exception | None = None
    """What was raised for a message that waits to be delivered again; the last such error, gone when none waits."""
    prepare: Prepare | None = None
    """Of the handler; called before a chunk goes through the chain."""

    def __init__(
        self,
        name: str,
        source: Source,
        chain: HandlerFunc,
        publish: Callable[[Message, Sequence[Message]], None],
        *,
        sink: PoisonSink | None,
        retries: Retries,
        is_judged: bool,
        now: Callable[[], float],
        is_blocked: Callable[[], bool],
        order_key: Callable[[Message], Hashable],
    ) -> None:
        self.name = name
        self.current: Assigned | None = None
        """The assignment whose message is in the chain. Written before `is_closing` is read, so that a revoke that sets
        `is_closing` first and then looks here misses nothing."""
        self._source = source
        self._chain = chain
        self._publish = publish
        self._sink = sink
        self._retries = retries
        self._is_judged = is_judged
        self._now = now
        self._is_blocked = is_blocked
        self._order_key = order_key
        self._parking = Parking()
        self._received = 0
        self._chunk: Iterator[Message] = iter(())
        self._gone: deque[list[Assignment]] = deque()
        """What `discard` was told, for the runner's own thread: the parking has no lock."""
        self._is_stopping = False
        self._pause = threading.Event()
        self.thread = WorkerThread(name, self._loop)

    def stop(self) -> None:
        """Take in nothing new. The message in the chain is finished, the rest of the chunk is left alone."""
        self._is_stopping = True
        self._pause.set()

    def discard(self, assignments: list[Assignment]) -> None:
        """Forget what waits for a redelivery on *assignments*: they are going. Done at the next step, by the thread itself."""
        self._gone.append(assignments)

    @property
    def begun(self) -> int:
        """Messages taken up so far, but for those that wait parked. No message pays: the iterator knows what is left."""
        return self._received - length_hint(self._chunk) - len(self._parking)

    def _loop(self) -> None:
        try:
            while not self._is_stopping:
                self._step()
        except SubscriptionClosed:
            logger.bind(handler=self.name).debug("subscription closed")
        finally:
            self.current = None

    def _step(self) -> None:
        parking = self._parking
        timeout = RECEIVE_SECONDS
        while self._gone:
            self._received -= parking.discard(self._gone.popleft())
        if parking:
            self._deliver_parked()
        if parking:
            due = parking.next_due()
            timeout = RECEIVE_SECONDS if due is None else min(timeout, max(0.0, due - self._now()))
        else:
            self._keep(None)
        if self._is_blocked():
            self._pause.wait(timeout)
            return
        self._take_in(timeout)
        self.current = None

    def _keep(self, failure: Exception | None) -> None:
        if self.failure is not None and self.failure is not failure:
            forget_traceback(self.failure)
        self.failure = failure

    def _take_in(self, timeout: float) -> None:
        self._take_messages(self._source.receive(CHUNK_MESSAGES, timeout))

    def _take_messages(self, chunk: Sequence[Message]) -> None:
        if chunk:
            self.current = chunk[0].assignment  # before the first of them counts as begun with
        messages = self._chunk = iter(chunk)
        self._received += len(chunk)
        if self.prepare is not None and chunk:
            self.prepare([message.payload for message in chunk])
        if self._parking:
            self._dispatch_some(messages)
        else:
            self._dispatch(messages)

    def _dispatch(self, messages: Iterator[Message], chain: HandlerFunc | None = None) -> None:
        """Take *messages* through the chain. `Delivery.begin` and `finish` are written out, for speed."""
        chain = chain or self._chain
        for message in messages:
            self.current = assignment = message.assignment
            if self._is_stopping or (assignment is not None and assignment.is_closing):
                continue
            delivery = message.delivery
            delivery.chain = RUNNING
            try:
                produced = chain(message)
                if produced is not None:
                    self._publish(message, produced)
            except Cancelled:
                self._cancelled(message)
            except Exception as error:
                if is_about_us(error):
                    raise
                self._failed(message, error)
            else:
                if delivery.verdict != NACKED:
                    delivery.verdict = ACKED
                    delivery.chain = RETURNED
                    continue
                self._failed(message, Nacked())
            if self._parking:
                self._dispatch_some(messages)
                return

    def _dispatch_some(self, messages: Iterator[Message]) -> None:
        """Dispatch *messages* but for those that must wait behind a nacked one."""
        for message in messages:
            key = self._order_key(message)
            if self._parking.holds(key):
                self._parking.queue(key, [message])
            else:
                self._dispatch(iter((message,)))

    def _deliver_parked(self) -> None:
        """Deliver what is due; a chunk at most, as others wait for their turn."""
        now = self._now()
        for _ in range(CHUNK_MESSAGES):
            message = self._parking.next_message(now)
            if message is None:
                break
            self._deliver_again(message)
        self.current = None

    def _deliver_again(self, message: Message) -> None:
        delivery = message.delivery
        if not delivery.is_running:  # it has only waited for its turn
            self._dispatch(iter((message,)))
        elif message.failures:
            delivery.leave_to_sink()
        else:
            delivery.restart()
            if delivery.unsent:  # it may be among them, as its handler has left it
                self._dispatch(iter((message,)), _unsent)
            else:
                message.restore()
                self._dispatch(iter((message,)))

    def _cancelled(self, message: Message) -> None:
        """Leave *message* as it is, never settled: whoever gets the partition next handles it.

        While nothing is closing nobody else will get it: a handler raised the signal by itself, which is a nack.
        """
        if not self._is_cut_short(message):
            self._failed(message, Nacked())

    def _is_cut_short(self, entry: Entry) -> bool:
        """Whether *entry* was cancelled because its router or its partition closes."""
        assignment = entry.assignment
        if assignment is not None and assignment.scope.is_closing:
            self._is_stopping = True  # what was handled after it could not be committed, and would be handled twice
        return self._is_stopping or (assignment is not None and assignment.is_closing)

    def _failed(self, message: Message, error: Exception) -> None:
        self.thread.last_error.note(error)
        tell_mistake(message, error)  # before the sink has it, which forgets the traceback
        if self._sink is not None and self._is_for_the_sink(message, error):
            self._sink.take(message, error)
            message.delivery.leave_to_sink()
            return
        if message.redeliveries == 0:
            text = "message not handled, it will be delivered again: {error}; {message}"
            logger.bind(handler=self.name).error(text, error=text_of(error, repr), message=repr(message))
        if not isinstance(error, Nacked):
            self._keep(error)
        due = self._now() + self._retries.delay(message.redeliveries)
        self._parking.park(self._order_key(message), message, due)

    def _is_for_the_sink(self, message: Message, error: Exception) -> bool:
        """Whether the sink takes *message*; counts its failures, but for what may pass or a middleware has declined to poison."""
        if isinstance(error, PermanentError) or message.failures:
            return True
        if self._is_judged and not isinstance(error, Nacked):
            return False
        if isinstance(error, PublishError) and error.refused:
            return True
        if isinstance(error, TransientError | PublishError) or message.delivery.unsent:
            return False
        return message.delivery.count_failure() > self._retries.limit


def _unsent(message: Message) -> Sequence[Message]:
    """Stand for the chain of a message whose handler is done: it has only its output left to publish."""
    return message.delivery.unsent
