"""Checking the options of a middleware where it is made, not where it first fails.

Each check raises `ConfigurationError` with a sentence that says what to pass.
"""

import inspect
import math

from millstream.router import ConfigurationError
from millstream.router.callables import described, is_async, is_number, takes

ERROR = "(error)"
"""What a predicate is called with."""


def require_between(option: str, value: object, low: float, high: float = math.inf) -> None:
    """Raise unless *value* is a finite number from *low* to *high*, both included.

    Args:
        option: what the user knows it as, such as `jitter`.
    """
    if is_number(value) and math.isfinite(value) and low <= value <= high:
        return
    rule = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
    raise ConfigurationError(f"{option} must be a number of {rule}, not {described(value)}")


def require_function(option: str, value: object, arguments: str) -> None:
    """Raise unless *value* is `None` or a function that is called with *arguments* and answers at once.

    Args:
        option: what the user knows it as, such as `retry_if`.
        arguments: as they stand in a call, such as `(error)`.
    """
    if value is None:
        return
    if inspect.isclass(value):
        hint = f"pass a function of {arguments}"
        if issubclass(value, BaseException):
            # It could be called with an error, and what it makes counts as true: everything would match.
            hint = f"pass a function: lambda error: isinstance(error, {value.__name__})"
        raise ConfigurationError(f"{option} is {described(value)}: {hint}")
    if not callable(value):
        example = ", such as lambda error: isinstance(error, OSError)" if arguments == ERROR else ""
        raise ConfigurationError(f"{option} is {described(value)}: pass a function of {arguments}{example}")
    if is_async(value):
        raise ConfigurationError(f"{option} is an async function: write def, not async def")
    if not takes(value, arguments.count(",") + (arguments != "()")):
        raise ConfigurationError(f"{option} takes other arguments: it is called with {arguments}")


def require_flag(option: str, value: object, hint: str = "") -> None:
    """Raise unless *value* is True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(f"{option} is {described(value)}: pass True or False{hint}")
