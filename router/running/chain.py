"""Building the chain of one handler: once, at the start of the router."""

from collections.abc import Sequence

from ..protocols import HandlerFunc, Middleware


def build_chain(handler: HandlerFunc, *levels: Sequence[Middleware]) -> HandlerFunc:
    """Wrap *handler* in its middleware.

    Args:
        handler: the innermost function.
        levels: router-level first, then handler-level; an earlier level is outside a later one, and within a level the first is
            outermost.
    """
    for level in reversed(levels):
        for middleware in reversed(level):
            handler = middleware(handler)
    return handler
