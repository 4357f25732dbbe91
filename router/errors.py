"""Errors of the router and of everything built on it.

    MillstreamError
    ├── TransientError          may work later: retried, never poisoned by class
    ├── PermanentError          will fail again: never retried, goes to the poison sink
    │   └── MessageTooLarge
    ├── RecoveredPanicError     of unknown cause, like any error of a handler: retried, then poisoned
    ├── ConfigurationError      the user's to mend, before anything runs (exit code 2)
    ├── StateError              a call at the wrong time: a bug in the caller
    ├── PublishError            some messages of one publish call did not get out
    ├── HaltedError             stopped on purpose, nothing settled that should not be (exit code 4)
    ├── UndrainedError          closed before everything was finished; it is delivered again (exit code 5)
    └── SubscriptionClosed      there is nothing more to receive

`Cancelled` stands beside the tree: it says "not now, somebody else's turn", never "failed". It derives from
`BaseException`, so that an `except Exception` in a handler cannot turn a shutdown into a handled message.

Whose fault an error is, is its class's to say: `StateError`, `ConfigurationError` and `HaltedError` speak of the program and
what it runs on, never of the message that met them (`is_about_us`). Nobody retries them or poisons a message for them: they stop
the router.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any


class MillstreamError(Exception):
    """The root of every error that Millstream raises."""


class TransientError(MillstreamError):
    """Something outside is not available right now; the same call may work later. Wait and retry."""


class PermanentError(MillstreamError):
    """This message cannot be handled, now or later. It is not retried; its place is the poison sink."""


class ConfigurationError(MillstreamError):
    """A setting, an argument or the surroundings are wrong; the text names which and what to do."""


class StateError(MillstreamError):
    """A method was called at a time when it has no meaning, such as adding a handler after the start."""


class PublishError(MillstreamError):
    """Some messages of one publish call were not confirmed by the broker.

    Args:
        failures: the reason for each message that did not get out, by its uuid; every other message did.
        refused: the places in the call of those that will not get out however often it is tried, such as too large ones.
    """

    positions: Mapping[int, str] = {}
    """The reasons by place in the call, where the publisher tells: uuids may repeat, places do not."""
    against_rules: frozenset[int] = frozenset()
    """Which of `refused` the topic would refuse at any size, where the publisher tells: without a key in a compacted topic."""

    def __init__(self, topic: str, failures: Mapping[str, str], refused: Collection[int] = ()) -> None:
        self.topic = topic
        self.failures = dict(failures)
        self.refused = frozenset(refused)
        uuid, reason = next(iter(self.failures.items()))
        what = "1 message was" if len(self.failures) == 1 else f"{len(self.failures)} messages were"
        super().__init__(f"{what} not published to {topic!r}; {uuid}: {reason}")

    def places(self, uuids: Sequence[str]) -> set[int]:
        """Return the places of the messages that did not get out in a call with *uuids*; all, where nothing tells which."""
        if self._speaks_of(uuids):
            return set(self.positions)
        by_uuid = {place for place, uuid in enumerate(uuids) if uuid in self.failures}
        return by_uuid or set(range(len(uuids)))

    def refused_places(self, uuids: Sequence[str]) -> set[int]:
        """Return those of them that never will get out; none, where a decorator between us has made a call of another kind."""
        return self.places(uuids) & self.refused if not self.positions or self._speaks_of(uuids) else set()

    def _speaks_of(self, uuids: Sequence[str]) -> bool:
        known = [uuids[place] for place in self.positions if 0 <= place < len(uuids)]
        return len(known) == len(self.positions) > 0 and set(known) == self.failures.keys()


class HaltedError(MillstreamError):
    """A policy stopped the work: what was not settled stays uncommitted and is delivered again."""


class UndrainedError(MillstreamError):
    """The router closed before everything was finished; what was not is uncommitted and will be delivered again.

    Args:
        still_running: the names of the handlers and workers that were not done.
        seconds: how long they had.
        last_errors: what went wrong last for some of them, by name.
    """

    def __init__(self, still_running: list[str], seconds: float, last_errors: Mapping[str, str] | None = None) -> None:
        self.still_running = still_running
        self.last_errors = {name: text for name, text in (last_errors or {}).items() if text}
        reasons = {name: f" (last error: {text})" for name, text in self.last_errors.items()}
        named = ", ".join(f"{name}{reasons.get(name, '')}" for name in still_running)
        super().__init__(f"not finished after {seconds:g} s: {named}; it will be delivered again")


class SubscriptionClosed(MillstreamError):
    """Raised by `Subscription.receive` once the subscription is closed and empty."""


class MessageTooLarge(PermanentError):
    """The payload is larger than the limit; the message goes to the poison sink undecoded."""

    def __init__(self, size_bytes: int, max_message_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.max_message_bytes = max_message_bytes
        super().__init__(f"message has {size_bytes} bytes, more than max_message_bytes={max_message_bytes}")


class RecoveredPanicError(MillstreamError):
    """A handler raised something that `except Exception` does not catch; `Recoverer` made it an error.

    Not permanent: a panic may come of the moment (memory, a lost connection inside a library) as well as of the message.

    Args:
        value: what was raised.
        stacktrace: where, as text.
    """

    def __init__(self, value: BaseException, stacktrace: str) -> None:
        self.value = value
        self.stacktrace = stacktrace
        super().__init__(f"panic in a handler: {type(value).__name__}: {value}")


def text_of(value: object, render: Callable[[Any], str] = str) -> str:
    """Return *value*, such as an error of anybody's making, as a text that can be written anywhere. Never raises.

    Half a character, which no file takes, becomes an escape; what has no text (its `__str__` raises) is named by its type.
    """
    try:
        text = render(value)
    except Exception as error:  # noqa: BLE001 - a method of the user's own
        text = f"{type(value).__name__}, of which {type(error).__name__} came instead of a text"
    return text.encode(errors="backslashreplace").decode()


UNREADABLE_ALONE = (LookupError, AssertionError, ArithmeticError)
"""Errors of Python whose text is often a key, a number or a class, and no sentence."""


def text_of_error(error: BaseException) -> str:
    """Return the text of *error*, behind its type where the text says too little by itself: `KeyError: 'id'`. Never raises."""
    text, name = text_of(error), type(error).__name__
    if not text.strip():
        return name
    needs_name = isinstance(error, UNREADABLE_ALONE) and not isinstance(error, MillstreamError)
    return f"{name}: {text}" if needs_name and not text.startswith(name) else text


def reason_of(error: BaseException) -> str:
    """Return *error* as a line for people: ours speak for themselves, any other is named by its type. Never raises."""
    text = text_of(error)
    name = type(error).__name__
    if isinstance(error, MillstreamError):
        return text or name
    return f"{name}: {text}" if text else name


def is_about_us(error: BaseException) -> bool:
    """Whether *error* says nothing of the message that met it: the program, its configuration or its state is at fault."""
    return isinstance(error, StateError | ConfigurationError | HaltedError)


class Cancelled(BaseException):
    """The work was called off (shutdown, a revoked partition). Never a failure: no retry, no poison, no ack."""
