"""What a handler may return, checked where an error still counts as the handler's.

Python calls a handler of any type: a coroutine would never run, a generator would be used up by the first middleware that looks
into it, a text be published letter by letter. So the innermost function of a chain is wrapped, unless it says `-> None`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..delivery.message import Message
from ..errors import ConfigurationError
from ..protocols import HandlerFunc


def require_synchronous(name: str, function: Callable[..., Any]) -> None:
    """Raise ConfigurationError when *function*, the handler *name*, is a coroutine function: nobody would await it."""
    if inspect.iscoroutinefunction(_code_of(function)) or inspect.isasyncgenfunction(_code_of(function)):
        raise ConfigurationError(
            f"handler {name!r} is an async function: handlers run on threads; call asyncio.run(…) in an ordinary function"
        )


def checked(name: str, function: HandlerFunc) -> HandlerFunc:
    """Return *function*, the handler *name*, so that it returns messages or nothing, whatever it was written as."""
    if _says_none(function):
        return function

    @functools.wraps(function)
    def handle(message: Message) -> Sequence[Message] | None:
        produced = function(message)
        return messages_in(name, produced) if produced else None

    return handle


def messages_in(name: str, produced: object) -> Sequence[Message]:
    """Return the messages in *produced*, what the handler *name* has returned; of an iterator all that it yields.

    Raises:
        ConfigurationError: they are not messages; says what they are.
    """
    if isinstance(produced, Iterator):
        produced = list(produced)
    if not isinstance(produced, list | tuple):
        raise _wrong(name, f"a {type(produced).__name__}", produced)
    for each in produced:
        if not isinstance(each, Message):
            raise _wrong(name, f"a {type(produced).__name__} that has a {type(each).__name__} in it", each)
    return produced


def _wrong(name: str, what: str, value: object) -> ConfigurationError:
    if inspect.iscoroutine(value):
        value.close()  # or Python warns that it was never awaited, somewhere else
    return ConfigurationError(f"handler {name!r} returned {what}: a handler returns a list of Message, or None")


def _says_none(function: Callable[..., Any]) -> bool:
    if inspect.isgeneratorfunction(_code_of(function)):
        return False
    try:
        return inspect.signature(function).return_annotation in (None, "None")
    except (TypeError, ValueError):  # built in: it has no signature
        return False


def _code_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what holds the code of *function*: behind a partial, or of an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or inspect.isclass(function):
        return function
    return function.__call__  # type: ignore[no-any-return,operator] # any object that can be called has it
