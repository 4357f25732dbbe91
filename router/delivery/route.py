"""What a message's handler is called and where its failures go; hangs at the assignment, so it costs nothing per message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..clock import MONOTONIC
from .assignment import Assignment
from .message import Message, PoisonSink
from .mistakes import Mistakes


class Flusher(Protocol):
    """A worker, as far as a route knows it."""

    def seal(self, assignments: Sequence[Assignment], deadline: float) -> None:
        """Ask for the flush of what belongs to *assignments*, and return at once."""
        ...


class HaltFunction(Protocol):
    """Stops the router because of a message that nobody can take."""

    def __call__(self, message: Message) -> None:
        """Stop; the message stays uncommitted."""
        ...


@dataclass(frozen=True)
class Route:
    """The handler that messages of one assignment go to."""

    handler: str
    topic: str
    subscriber: str
    publish_topic: str | None = None
    sink: PoisonSink | None = None
    halt: HaltFunction | None = None
    workers: Sequence[Flusher] = ()
    """Who is asked to flush when a partition goes; everybody else who holds a message is the user."""
    mistakes: Mistakes | None = None
    """Of the handler's own code: those that were told."""

    def has_worker(self, owner: object) -> bool:
        """Whether *owner* is one of the router's workers."""
        return any(owner is worker for worker in self.workers)

    def ask_for_flush(self, assignments: Sequence[Assignment]) -> None:
        """Let the workers flush what they hold of *assignments*, ahead of any lane: nothing more is taken in until it is done."""
        for worker in self.workers:
            worker.seal(assignments, MONOTONIC.now())

    @property
    def is_sink_blocked(self) -> bool:
        """Whether records cannot be written as fast as they come: then nothing new should."""
        return self.sink is not None and self.sink.is_blocked

    @property
    def is_halted(self) -> bool:
        """Whether the sink takes nothing more: what is not settled stays so."""
        return self.sink is not None and self.sink.is_halted

    def count_done(self, owner: object, count: int) -> None:
        """Tell the sink that *owner* has done its part of *count* messages."""
        if self.sink is not None:
            self.sink.count_done(owner, count)

    def count_begun(self, more: int) -> None:
        """Tell the sink that the message in the chain brings *more* things than one."""
        if self.sink is not None:
            self.sink.count_begun(more)

    def count_failed(self, owner: object, error: BaseException) -> None:
        """Tell the sink of one more part that *owner* has failed."""
        if self.sink is not None:
            self.sink.count_failed(owner, error)

    def tell_mistake(self, error: BaseException) -> None:
        """Tell of *error*, where it is a mistake that was not told yet; see `Mistakes`."""
        if self.mistakes is not None:
            self.mistakes.tell(error)

    def report_failure(self, message: Message) -> None:
        """Send *message*, of which a hold was failed, to the poison sink; without one, stop the router."""
        if self.sink is not None:
            self.sink.take_failed(message)
        elif self.halt is not None:
            self.halt(message)
