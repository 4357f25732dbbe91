"""What goes into a batch and what comes out of it."""

from __future__ import annotations

import enum
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, overload

from millstream.router.delivery.message import Assigned

from .batch_message import BatchMessage
from .rows import Row, Rows


class Trigger(enum.Enum):
    """Why a batch was closed."""

    SIZE = "size"
    BYTES = "bytes"
    AGE = "age"
    BOUND = "bound"
    REVOKE = "revoke"
    SHUTDOWN = "shutdown"


FLUSH_LINES = {
    Trigger.SIZE: "size-based batch flush triggered",
    Trigger.BYTES: "size-based batch flush triggered",
    Trigger.BOUND: "size-based batch flush triggered",
    Trigger.AGE: "time-based batch flush triggered",
    Trigger.REVOKE: "revoke batch flush triggered",
    Trigger.SHUTDOWN: "shutdown batch flush triggered",
}
"""What the log says of a batch, by why it was closed."""

Outcome = tuple[int, BaseException | None]
"""A place in a batch, and why that message cannot be processed; `None`: its part is done."""


class Batch(Sequence[BatchMessage]):
    """A closed batch: fixed rows in a fixed order under one token, kept through all its retries.

    Args:
        messages: its rows.
        trigger: why it was closed.
        size_bytes: what its rows weigh.
        oldest: when the oldest of them came, by the clock of its batcher; `None` where nobody says.

    Example:
        >>> batch = Batch([BatchMessage(Message(b"one"), 1), BatchMessage(Message(b"two"), 2)])
        >>> len(batch), [each.item for each in batch], len(batch.token)
        (2, [1, 2], 32)
    """

    rows: Rows
    """What it consists of: to take many at a time, without a look at each."""
    token: str
    """Names this exact row set; drawn at the closing, never derived from content: deleted rows must be able to come back."""
    trigger: Trigger | None
    size_bytes: int
    oldest: float | None
    progress: Any
    """What `process_batch` remembers between attempts on this batch: anything; `None` before the first. Nobody else reads it."""
    plans: dict[object, Any]
    """What each table that the batch goes into remembers between attempts; theirs alone, by a key that only they know."""
    refused: set[int]
    """The places that a table has refused: beside them `None` is no outcome, as nobody would hear of them."""
    attempts: int
    """How often somebody has begun to process it; counted by who does."""
    left: set[int]
    """The places that a table has left, as `BatchResult.left`: no outcome may call them done."""
    listener: Callable[[Batch, Iterable[Outcome]], bool] | None
    """Told by `report`; set by who processes it."""
    is_late: Callable[[], bool]
    """Whether the time to close is nearly over, or that in which all of its partitions go: what takes many steps ends with the
    one in hand, and calls `report`."""

    def __init__(
        self,
        messages: Iterable[Row] = (),
        *,
        trigger: Trigger | None = None,
        size_bytes: int = 0,
        oldest: float | None = None,
    ) -> None:
        self.rows = Rows(messages)
        self.token = uuid.uuid4().hex
        self.trigger = trigger
        self.size_bytes = size_bytes
        self.oldest = oldest
        self.progress = None
        self.plans = {}
        self.refused = set()
        self.attempts = 0
        self.left = set()
        self.listener = None
        self.is_late = _never

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> BatchMessage: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[BatchMessage]: ...

    def __getitem__(self, place: int | slice) -> BatchMessage | Sequence[BatchMessage]:
        return self.rows[place]

    def __iter__(self) -> Iterator[BatchMessage]:
        return iter(self.rows)

    def report(self, outcomes: Iterable[Outcome]) -> bool:
        """Tell of messages whose outcome is known while the others of the batch take long: those that failed go to the sink now.

        Args:
            outcomes: place and error of each, `None` for one that is done, in the order in which that became known. They belong
                into the result of the batch as well.

        Returns:
            False when so many have failed that the router halts, or when `is_late`: process no more, and name the rest in
            `BatchResult.left`.
        """
        return self.listener is None or self.listener(self, outcomes)

    def without_void(self, given_up: Collection[Assigned] = ()) -> Batch:
        """Return the batch, never sent yet, without what nobody waits for any more: a new row set, so a new token.

        Args:
            given_up: assignments that count as gone.
        """
        rows = self.rows.without_void(given_up)
        kept = Rows(rows)
        if len(kept) == len(self):
            return self
        return Batch(rows, trigger=self.trigger, size_bytes=sum(map(len, kept.payloads())), oldest=self.oldest)


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """The outcome of one `process_batch`: each message of the batch, by its place in it, is in exactly one of the three.

    Args:
        done: the places of those that were processed; `range(len(batch))` when all were.
        failures: the error of each that cannot be processed, by its place; it goes to the poison sink.
        left: the places of those that were not processed, as the router halts or closes, or as every partition of the batch
            goes: nothing is done about them, and nothing is committed.

    Example:
        >>> result = BatchResult(done=[0, 2], failures={1: ValueError("no such customer")})  # of three messages
        >>> 0 in result.failures, 1 in result.failures
        (False, True)
    """

    done: Collection[int]
    failures: Mapping[int, BaseException] = field(default_factory=dict)
    left: Collection[int] = ()

    @classmethod
    def all_but(cls, failures: Mapping[int, BaseException], batch: Batch) -> BatchResult:
        """Return the outcome of a *batch* of which everything was processed but what *failures* names, by its place, and what a
        table has left.
        """
        left = frozenset(batch.left.difference(failures))
        if not failures and not left:
            return cls(done=range(len(batch)))
        done = [place for place in range(len(batch)) if place not in failures and place not in left]
        return cls(done=done, failures=failures, left=left)


class ProcessBatch(Protocol):
    """What processes a batch: any function of one argument will do."""

    def __call__(self, batch: Batch, /) -> BatchResult | None:
        """Process *batch*. Called on a thread of the batcher, one batch at a time unless `BatchConfig.max_in_flight` says more.

        After an error it is called again with the same `Batch`: the same rows in the same order under the same `token`. What it
        wants to remember until then it may keep in `batch.progress`.

        Returns:
            `None` when everything is done, else the outcome per message. One that leaves a message out, or says two things of
            it, or is none, is a mistake of the program: the router ends with `HaltedError`, and nothing of the batch is released.

        Raises:
            PermanentError: no message of the batch can ever be processed; all go to the poison sink.
            ConfigurationError: somebody has to mend something first; it is waited for, and nothing is poisoned.
            HaltedError: stop the router.
            Exception: nothing is known to be done, and the batch should come again; see `BatchConfig`.
        """
        ...
