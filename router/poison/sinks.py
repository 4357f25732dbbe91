"""From a user's choice to the sink that stands for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from loguru import logger

from ..delivery.message import Message, PoisonSink
from ..delivery.route import HaltFunction
from ..errors import HaltedError, text_of_error
from .choices import DROP, HALT, REDELIVER, PoisonChoice, PoisonWriter
from .sink_worker import SinkWorker
from .storm import StormGuard


class Discard:
    """The writer of `DROP`: counts and forgets."""

    says_itself = True
    """Whether its sink need not tell of the first message."""

    def write(self, messages: Sequence[Message]) -> None:
        """Say how many were dropped and why the first was."""
        reason = messages[0].metadata["reason_poisoned"]
        text = "poisoned messages dropped, as configured: {messages}, the first for this: {reason}"
        logger.warning(text, messages=len(messages), reason=reason)

    def close(self) -> None:
        """Nothing is held."""


class HaltingSink:
    """The sink of `HALT`: the first message that cannot be handled stops the router."""

    is_blocked = False

    def __init__(self, handler: str, halt: HaltFunction) -> None:
        self.is_halted = False
        """Whether a message came."""
        self._handler = handler
        self._halt = halt

    def take(self, message: Message, error: BaseException) -> None:
        """Stop: raises `HaltedError` into the chain."""
        self.is_halted = True
        raise HaltedError(
            f"handler {self._handler!r} halts at {message!r}, as its poison choice is HALT: {text_of_error(error)}"
        ) from error

    def take_failed(self, message: Message) -> None:
        """Stop the router from whichever thread failed the hold."""
        self.is_halted = True
        self._halt(message)

    def count_done(self, owner: object, count: int) -> None:
        """Nothing is counted: the first one halts."""

    def count_begun(self, more: int) -> None:
        """Nothing is counted: the first one halts."""

    def count_failed(self, owner: object, error: BaseException) -> None:
        """Nothing is counted: the first one halts."""


def make_sink(
    handler: str,
    choice: PoisonWriter | PoisonChoice,
    halt: HaltFunction,
    guard: StormGuard | None = None,
    fail: Callable[[BaseException], None] = lambda _error: None,
) -> tuple[PoisonSink | None, SinkWorker | None]:
    """Return the sink that *choice* stands for and the worker to run it, if it needs one.

    Args:
        handler: its name.
        choice: of the user.
        halt: stops the router because of a message.
        guard: says when there are too many; `None`: never.
        fail: stops the router then.
    """
    if choice is REDELIVER:
        return None, None
    if choice is HALT:
        return HaltingSink(handler, halt), None
    sink = SinkWorker(handler, Discard() if choice is DROP else choice, guard, fail)
    return sink, sink
