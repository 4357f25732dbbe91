"""What a message's handler is called and where its failures go; hangs at the assignment, so it costs nothing per message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..clock import MONOTONIC

if TYPE_CHECKING:
    from ..protocols import Worker
    from .assignment import Assignment
    from .message import Message


class PoisonSink(Protocol):
    """Takes messages that cannot be handled, returns at once, and settles them when their record is safe."""

    @property
    def is_blocked(self) -> bool:
        """Whether records cannot be written right now, or not as fast as they come."""
        ...

    def take(self, message: Message, error: BaseException) -> None:
        """Take over *message* while its chain runs; whatever else holds it becomes void."""
        ...

    def take_failed(self, message: Message) -> None:
        """Take over a message of which an owner failed its hold; waits until its other holds are in."""
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
    workers: Sequence[Worker] = ()
    """Who is asked to flush when a partition goes; everybody else who holds a message is the user."""

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

    def report_failure(self, message: Message) -> None:
        """Send *message*, of which a hold was failed, to the poison sink; without one, stop the router."""
        if self.sink is not None:
            self.sink.take_failed(message)
        elif self.halt is not None:
            self.halt(message)


class HaltFunction(Protocol):
    """Stops the router because of a message that nobody can take."""

    def __call__(self, message: Message) -> None:
        """Stop; the message stays uncommitted."""
        ...
