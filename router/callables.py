"""What users hand over, most of it to be called: a mistake is told where it is handed over, not where a thread first calls it.

Each check raises ConfigurationError with a sentence that says what to pass. What cannot be known passes: a function that is built
in may have no signature, and what its decorator does is its own affair.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from numbers import Real
from typing import Any, TypeGuard

from .errors import ConfigurationError, text_of

MAX_SHOWN = 60
"""Characters of a value in an error: enough to find it in a program."""


USE_RUN = "call asyncio.run(…) in an ordinary function"
USE_DEF = "write def, not async def"


def require_callable(what: str, function: object, argument: str, *, not_async: str = USE_RUN) -> None:
    """Raise unless *function* is called with one argument and answers at once.

    Args:
        what: who it is, as an error names it, such as `handler 'h'`.
        argument: what it is called with, such as `the message`.
        not_async: what to do where it is async.
    """
    if inspect.isclass(function):
        raise ConfigurationError(f"{what} is {described(function)}: pass an instance, {function.__name__}(…)")
    if not callable(function):
        raise ConfigurationError(f"{what} is {described(function)}: pass a function that takes {argument}")
    if is_async(function):
        raise ConfigurationError(f"{what} is an async function: it is called on a thread; {not_async}")
    if not takes_one(function):
        hint = ", of an instance" if _has_self(function) else ""
        raise ConfigurationError(
            f"{what} takes {_signature(function)}: pass one that takes one argument, {argument}{hint}"
        )


def require_instance(what: str, value: object, kind: type, example: str) -> None:
    """Raise unless *value* is a *kind*.

    Args:
        what: who it is, as an error names it, such as `Router(config)`.
        kind: its class.
        example: what would do, such as `RouterConfig(…)`.
    """
    if isinstance(value, kind):
        return
    hint = f"an instance, {value.__name__}(…)" if inspect.isclass(value) and issubclass(value, kind) else example
    raise ConfigurationError(f"{what} is {described(value)}: pass {hint}")


def require_method(what: str, neighbour: object, method: str, example: str) -> None:
    """Raise unless *neighbour* is an object that has *method*.

    Args:
        what: who it is, as an error names it, such as `handler 'h': subscriber`.
        method: its name.
        example: what would do, such as `KafkaSubscriber(…)`.
    """
    if inspect.isclass(neighbour):
        raise ConfigurationError(f"{what} is {described(neighbour)}: pass an instance, {neighbour.__name__}(…)")
    if not callable(getattr(neighbour, method, None)):
        raise ConfigurationError(f"{what} is {described(neighbour)}, which has no {method}(): pass {example}")


def require_text(what: str, value: object) -> None:
    """Raise unless *value* is a text that is not empty."""
    if not isinstance(value, str):
        raise ConfigurationError(f"{what} is {described(value)}: pass its name as text")
    if not value:
        raise ConfigurationError(f"{what} is empty: pass its name")


def is_number(value: object) -> TypeGuard[float]:
    """Whether *value* is a number, which True and False are not."""
    return not isinstance(value, bool) and isinstance(value, Real)


def described(value: object) -> str:
    """Return what *value* is, for the text of an error."""
    if value is None:
        return "None"
    if inspect.isclass(value):
        return f"the class {value.__name__}"
    if isinstance(value, str | bytes | int | float):
        shown = text_of(value, repr)
        return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}…"
    return f"a {type(value).__name__}"


def given_up(value: object) -> None:
    """Forget *value*, which nobody can use: of a coroutine Python would warn later, somewhere else, that it was never awaited."""
    if inspect.iscoroutine(value):
        value.close()


def name_of(function: object) -> str:
    """Return what the user calls *function*: its name, or that of its class."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def takes_one(function: Callable[..., Any]) -> bool:
    """Whether *function* can be called with one argument, as far as it tells."""
    return takes(function, 1)


def takes(function: Callable[..., Any], count: int) -> bool:
    """Whether *function* can be called with *count* arguments by position, as far as it tells."""
    try:
        # Not that of what a decorator has wrapped: it may add arguments of its own.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):  # built in
        return True
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a call of *function* only makes something to be awaited."""
    code = code_of(function)
    return inspect.iscoroutinefunction(code) or inspect.isasyncgenfunction(code)


def code_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what holds the code of *function*: behind a partial, or of an object that can be called."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or inspect.isclass(function):
        return function
    return function.__call__  # type: ignore[no-any-return,operator] # any object that can be called has it


def _signature(function: Callable[..., Any]) -> str:
    parameters = list(inspect.signature(function, follow_wrapped=False).parameters)
    return f"({', '.join(parameters)})" if parameters else "no argument"


def _has_self(function: Callable[..., Any]) -> bool:
    return inspect.isfunction(function) and next(iter(inspect.signature(function).parameters), "") == "self"
