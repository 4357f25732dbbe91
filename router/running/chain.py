"""Building the chain of one handler: once, at the start of the router."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from loguru import logger

from ..callables import USE_DEF, described, name_of, require_callable, takes_one
from ..errors import ConfigurationError
from ..protocols import HandlerFunc, Middleware
from .returned import Output

NEXT = "the next handler"


def require_middlewares(middlewares: Sequence[object]) -> None:
    """Look at *middlewares*, as they were added.

    Raises:
        ConfigurationError: one is no callable that takes the next handler; says what to pass.
    """
    for each in middlewares:
        if isinstance(each, list | tuple):
            raise ConfigurationError(f"middleware is {described(each)}: pass each by itself, add_middleware(*…)")
        if inspect.isclass(each) and not _takes_handler(each):
            raise ConfigurationError(f"middleware is {described(each)}: pass an instance, {each.__name__}(…)")
        if not inspect.isclass(each):
            what = f"middleware {name_of(each)}" if callable(each) else "middleware"
            require_callable(what, each, NEXT, not_async=USE_DEF)


def _takes_handler(kind: type) -> bool:
    """Whether the instances of *kind* are handlers, made of the next one, and not middleware themselves."""
    call = getattr(kind, "__call__", None)  # noqa: B004 - the method of its instances, not whether it can be called
    if not inspect.isfunction(call) or not takes_one(kind):
        return False
    parameters = [*inspect.signature(call).parameters.values()][1:]
    return not any(each.name == "next_handler" or "HandlerFunc" in str(each.annotation) for each in parameters)


def warn_of_useless_retries(handler: str, middlewares: Sequence[Middleware]) -> None:
    """Warn where one of the *middlewares* of *handler* tries again outside one that lets no error out to it."""
    retrying = None
    for each in middlewares:
        if getattr(each, "retries_errors", False):
            retrying = each
        elif retrying is not None and getattr(each, "takes_every_error", False):
            text = (
                "errors of handler {handler!r} are never retried: {inner} takes them all inside {outer}; add it before"
            )
            logger.warning(text, handler=handler, outer=name_of(retrying), inner=name_of(each))


def build_chain(handler: HandlerFunc, *levels: Sequence[Middleware], publishing: str | None = None) -> HandlerFunc:
    """Wrap *handler* in its middleware.

    Args:
        handler: the innermost function.
        levels: router-level first, then handler-level; an earlier level is outside a later one, and within a level the first is
            outermost.
        publishing: the name of the handler where it publishes what it returns: no middleware may then lose that.

    Raises:
        ConfigurationError: a middleware made no handler; names it.
    """
    for level in reversed(levels):
        for middleware in reversed(level):
            handler = _wrapped(handler, middleware, publishing)
    return handler


def _wrapped(handler: HandlerFunc, middleware: Middleware, publishing: str | None) -> HandlerFunc:
    output = None if publishing is None else Output(publishing, name_of(middleware))
    made: Any = middleware(handler if output is None else output.counted(handler))
    if made is None:
        raise ConfigurationError(
            f"middleware {name_of(middleware)} returned None: end it with `return` and the function that it has made"
        )
    require_callable(f"what middleware {name_of(middleware)} returned", made, "the message", not_async=USE_DEF)
    return made if output is None else output.kept(made)
