"""Giving a batcher the messages of a topic: the handler that takes them, in runs where nobody has to see each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec

from millstream.router import Handler, Message, PermanentError, Poison, Router, Subscriber, TransientError
from millstream.router.callables import require_callable, require_instance
from millstream.router.delivery.mistakes import tell_mistake
from millstream.router.delivery.run import MessageRun
from millstream.router.errors import is_about_us, text_of_error
from millstream.router.protocols import Worker

from .batch_message import BatchMessage

Decode = Callable[[bytes], Any]
"""Makes the item of a message from its payload, such as `msgspec.json.Decoder(Order).decode`."""


@runtime_checkable
class Prepares(Protocol):
    """A `process_batch` that can tell at the start whether it can ever work; such as `ClickHouseTable.writer` makes one."""

    def prepare(self) -> None:
        """Raise where it cannot. Called once, before the first batch; may block."""
        ...


class TakesMessages(Worker, Protocol):
    """A batcher, as what is attached to it sees it."""

    def add(self, item: BatchMessage) -> None:
        """Put one message into the next batch."""
        ...

    def add_run(self, run: MessageRun, items: Sequence[Any]) -> None:
        """Put the messages of *run* into the next batch."""
        ...


class Attachable:
    """Adds to a batcher the way to take the messages of a topic."""

    def attach(
        self: TakesMessages,
        router: Router,
        name: str,
        topic: str,
        subscriber: Subscriber,
        *,
        poison: Poison,
        decode: Decode | None = None,
    ) -> Handler:
        """Batch the messages of *topic*; *router* starts the batcher, flushes it when a partition goes, and drains it.

        They go in runs where nothing in the chain has to see each, see `Handler.take_runs`. A batcher may take several topics.

        Args:
            router: not started yet.
            name: of the handler, unique in *router*.
            topic: where messages come from.
            subscriber: what subscribes to it.
            poison: what becomes of messages that cannot be handled, as of `Router.add_handler`, and of those that `process_batch`
                names in `failures`; where they have nowhere to go, as with `REDELIVER`, the router halts. There is no default.
            decode: make the item of a message from its payload. A message for which it raises goes to *poison* at once, and its
                neighbours go on, but for an error that speaks of the program or its surroundings (`TransientError`, `OSError`,
                `ConfigurationError`, …). It may be asked twice. `None`: the item is the payload.

        Returns:
            The handler, for middleware of its own.

        Raises:
            ConfigurationError: the name is taken, or an argument can never work; says what to pass.
            StateError: *router* has started.
        """
        intake = _Intake(self, decode)
        require_instance(f"batcher {self.name!r}: router", router, Router, "Router(), then name, topic and subscriber")
        if decode is not None:
            require_callable(f"batcher {self.name!r}: decode", decode, "the payload")
        handler = router.add_consumer_handler(name, topic, subscriber, intake.take, poison=poison)
        handler.take_runs(intake.take_run)
        router.add_worker(self)
        return handler


class _Intake:
    """What a handler does with messages for *batcher*."""

    def __init__(self, batcher: TakesMessages, decode: Decode | None) -> None:
        self._batcher = batcher
        self._decode = decode

    def take(self, message: Message) -> None:
        item: Any = message.payload
        if self._decode is not None:
            item = _decoded(self._decode, message)
        self._batcher.add(BatchMessage(message, item))

    def take_run(self, run: MessageRun) -> bool:
        # What `decode` raises sends each message through `take`: there it shows whose fault it is.
        items = run.payloads if self._decode is None else list(map(self._decode, run.payloads))
        self._batcher.add_run(run, items)
        return True


def _decoded(decode: Decode, message: Message) -> Any:
    try:
        return decode(message.payload)
    except Exception as error:
        if is_about_us(error) or isinstance(error, PermanentError | TransientError | OSError | MemoryError):
            raise
        if not isinstance(error, ValueError | msgspec.MsgspecError):
            tell_mistake(message, error)
        # No attempt makes another payload of it.
        raise PermanentError(f"it cannot be decoded: {text_of_error(error)}") from error
