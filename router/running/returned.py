"""What a handler may return, checked where an error still counts as the handler's.

Python calls a handler of any type: a coroutine would never run, a generator would be used up by the first middleware that looks
into it, a text be published letter by letter. So the innermost function of a chain is wrapped, unless it says `-> None`. A wrong
value is a bug of the program: it stops the router, and the message that met it stays uncommitted. So does a middleware that
forgets its `return`, where there is output to lose.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..callables import code_of, described, given_up
from ..delivery.message import Message
from ..errors import HaltedError
from ..protocols import HandlerFunc


def checked(name: str, function: HandlerFunc) -> HandlerFunc:
    """Return *function*, the handler *name*, so that it returns messages or nothing, whatever it was written as."""
    if _says_none(function):
        return function
    what = f"handler {name!r}"

    @functools.wraps(function)
    def handle(message: Message) -> Sequence[Message] | None:
        produced = function(message)
        # Not `if not produced`: of some values, such as a table of numbers, that is an error, and would be the message's.
        if produced is None or (produced.__class__ is list and not produced):
            return None
        return messages_in(what, produced) or None

    return handle


class Output:
    """Sees that one middleware of a handler that publishes does not lose what is returned inside it: that stops the router.

    Looked at for each middleware, not once around them all: one that swallows the error of another has lost nothing.

    Args:
        handler: its name.
        middleware: what the middleware is called.
    """

    def __init__(self, handler: str, middleware: str) -> None:
        self._handler = handler
        self._middleware = middleware
        self._last = threading.local()  # a chain serves all threads of its handler

    def counted(self, inner: HandlerFunc) -> HandlerFunc:
        """Return *inner*, what the middleware is put around, so that it notes how much it has returned."""
        last = self._last

        @functools.wraps(inner)
        def counting(message: Message) -> Sequence[Message] | None:
            last.count = 0
            produced = inner(message)
            if produced is not None:
                last.count = len(produced) if isinstance(produced, list | tuple) else 1
            return produced

        return counting

    def kept(self, outer: HandlerFunc) -> HandlerFunc:
        """Return *outer*, what the middleware has made, so that it raises `HaltedError` where it loses that."""
        last = self._last

        def keeping(message: Message) -> Sequence[Message] | None:
            last.count = 0
            produced = outer(message)
            if produced is None and last.count and not message.is_nacked and not message.is_void:
                raise self._lost(last.count)
            return produced

        return keeping

    def _lost(self, count: int) -> HaltedError:
        what = "a message" if count == 1 else f"{count} messages"
        return HaltedError(
            f"middleware {self._middleware} around handler {self._handler!r} returned None where what is inside it returned"
            f" {what}: end it with `return next_handler(message)`, or return [] to drop what was returned"
        )


def messages_in(what: str, produced: object) -> Sequence[Message]:
    """Return the messages in *produced*, which *what* has returned; of an iterator all that it yields.

    Raises:
        HaltedError: they are not messages; says what they are.
    """
    if not isinstance(produced, list | tuple):
        if not isinstance(produced, Iterator):
            raise _wrong(what, f"returned {_kind(produced)}", produced)
        produced = list(produced)
    for each in produced:
        if not isinstance(each, Message):
            raise _wrong(what, f"returned a {type(produced).__name__} that has {_kind(each)} in it", each)
    return produced


def _kind(value: object) -> str:
    return described(value) if value is None or inspect.isclass(value) else f"a {type(value).__name__}"


def _wrong(what: str, did: str, value: object) -> HaltedError:
    given_up(value)
    hint = "a list of Message, or None"
    if isinstance(value, Message):
        hint += ", so [message] for one"
    elif callable(value) and not inspect.isclass(value):
        hint += "; a middleware that takes options is called where it is added"
    return HaltedError(f"{what} {did}: return {hint}")


def _says_none(function: Callable[..., Any]) -> bool:
    if inspect.isgeneratorfunction(code_of(function)):
        return False
    try:
        return inspect.signature(function).return_annotation in (None, "None")
    except (TypeError, ValueError):  # built in: it has no signature
        return False
