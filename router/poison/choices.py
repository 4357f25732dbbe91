"""What a handler does with messages that cannot be handled: the choices that a user has.

A choice is one object per handler, used by the `PoisonQueue` middleware and by `Hold.fail` alike.
"""

from __future__ import annotations

import enum
import inspect
import io
import os
from collections.abc import Collection, Sequence
from typing import Final, Literal, Protocol, runtime_checkable

from ..callables import described, require_method, require_text
from ..delivery.message import Message
from ..errors import ConfigurationError, MillstreamError, PublishError
from ..protocols import ChecksTopics, FindsTopics, Publisher
from .record import PARTITION_KEY


class NotWritten(MillstreamError):
    """Some records of one write are not safe yet; the others are. What a `PoisonWriter` may raise that knows which.

    Args:
        places: those that are not, by their place in the call.
        refused: those of them that will not be taken as they are, such as too large ones: their payload is cut.
    """

    def __init__(self, places: Collection[int], refused: Collection[int], reason: str) -> None:
        self.places = frozenset(places)
        self.refused = frozenset(refused)
        super().__init__(reason)


class PoisonWriter(Protocol):
    """Writes poisoned messages somewhere safe. Called by the sink's own thread only."""

    def write(self, messages: Sequence[Message]) -> None:
        """Write *messages*, whose metadata says why they are here, and return once they are safe; raise to be called again.

        Raise `NotWritten` where some are safe: only the others come again.
        """
        ...

    def close(self) -> None:
        """Release what is held. May be called twice."""
        ...


@runtime_checkable
class LooksAhead(Protocol):
    """A writer that can tell at the start of its router whether records could be written."""

    def look_ahead(self) -> None:
        """Raise ConfigurationError where no record could be written, TransientError where that cannot be told now."""
        ...


class PoisonChoice(enum.Enum):
    """What becomes of a message that cannot be handled, where it is written nowhere.

    Example:
        >>> Router().add_consumer_handler("printer", "orders", InMemoryPubSub(), print, poison=PoisonChoice.DROP)
        <Handler 'printer' on 'orders'>
    """

    REDELIVER = "redeliver"
    """Deliver it again, later each time, without end: its partition waits (its key, with `concurrency`). The default."""
    HALT = "halt"
    """Stop the router (exit code 4) with the message uncommitted. `"none"`, as settings and the original say it, is the same."""
    DROP = "drop"
    """Count it, commit it, and go on."""

    def __repr__(self) -> str:
        return self.name


REDELIVER: Final = PoisonChoice.REDELIVER
HALT: Final = PoisonChoice.HALT
DROP: Final = PoisonChoice.DROP

Poison = PoisonWriter | PoisonChoice | Literal["redeliver", "halt", "none", "drop"]
"""What may be chosen: `PoisonTopic`, `PoisonFile` or another writer, one of `PoisonChoice`, or its name as text."""

_BY_NAME = {"none": HALT} | {each.value: each for each in PoisonChoice}


def choice_named(name: str) -> PoisonChoice | None:
    """Return the choice that *name* is the text of, `None` where it is none: in settings it is a topic then."""
    return _BY_NAME.get(name)


CHOICES = (
    "PoisonTopic(publisher, topic), PoisonFile(path), HALT (stop at the first), DROP or REDELIVER (again, without end)"
)


def chosen(handler: str, poison: object) -> PoisonWriter | PoisonChoice:
    """Return what *poison*, given for the handler *handler*, stands for.

    Raises:
        ConfigurationError: nothing. `None` neither: it could be read as no sink, which delivers again for ever, or as `"none"`.
    """
    if isinstance(poison, PoisonChoice):
        return poison
    if isinstance(poison, str) and poison in _BY_NAME:
        return _BY_NAME[poison]
    if callable(getattr(poison, "write", None)) and not inspect.isclass(poison) and not isinstance(poison, io.IOBase):
        return poison  # type: ignore[return-value] # looked at just now
    if isinstance(poison, str) and poison:
        hint = f"for a topic of that name pass PoisonTopic(publisher, {poison!r}); else "
    elif inspect.isclass(poison):
        hint = f"pass an instance, {poison.__name__}(…); all choices: "
    elif isinstance(poison, os.PathLike | io.IOBase):
        hint = "for a file pass PoisonFile(path); all choices: "
    else:
        hint = "pass "
    raise ConfigurationError(f"handler {handler!r}: poison={described(poison)} is no choice: {hint}{CHOICES}")


class PoisonTopic:
    """Publish poisoned messages to *topic*, unchanged but for the metadata that says why.

    Of a message that the topic does not take, as it is too large, go the first 1,000 bytes and its key; the metadata says how
    many it had (`payload_bytes_poisoned`) and where it stands.

    A compacted *topic* takes no message without a key: intake then stops, and an error says why. Of those with one it keeps the
    last of each key only, so it is no good place for them.

    At the start of its router a topic that does not exist ends the start, where the publisher can tell.

    Raises:
        ConfigurationError: *publisher* is none, or *topic* cannot be a topic's name with it.

    Example:
        >>> broker = InMemoryPubSub()
        >>> router = Router()
        >>> router.add_consumer_handler("printer", "orders", broker, print, poison=PoisonTopic(broker, "orders-dlq"))
        <Handler 'printer' on 'orders'>
    """

    def __init__(self, publisher: Publisher, topic: str) -> None:
        require_method("PoisonTopic(publisher, topic): publisher", publisher, "publish", "KafkaPublisher(…)")
        if isinstance(publisher, ChecksTopics):
            publisher.check_topic(topic)
        require_text("PoisonTopic(publisher, topic): topic", topic)
        self.publisher = publisher
        self.topic = topic

    def write(self, messages: Sequence[Message]) -> None:
        """Publish and wait for the confirmation."""
        try:
            self.publisher.publish(self.topic, *messages)
        except PublishError as error:
            uuids = [message.uuid for message in messages]
            places, refused = error.places(uuids), error.refused_places(uuids)
            hint = self._hint([messages[place] for place in refused & error.against_rules])
            raise NotWritten(places, refused - error.against_rules, f"{error}{hint}") from error

    def _hint(self, messages: Sequence[Message]) -> str:
        keyless = sum(message.key is None and PARTITION_KEY not in message.metadata for message in messages)
        if not keyless:
            return ""
        return (
            f"; {keyless} of them have no key, and a compacted topic takes none without: give {self.topic!r} the"
            " cleanup.policy delete, or use another topic for poison records"
        )

    def look_ahead(self) -> None:
        """Look for the topic; see `LooksAhead`."""
        if isinstance(self.publisher, FindsTopics):
            self.publisher.find_topic(self.topic)

    def close(self) -> None:
        """Leave the publisher to the router, which closes every publisher it knows once, last."""

    def __repr__(self) -> str:
        return f"PoisonTopic({self.topic!r})"
