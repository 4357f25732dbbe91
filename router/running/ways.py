"""Which way the messages of a handler take: in runs, past the chain, or one by one through it.

In runs where nobody in the chain wants to see each message, and the handler says that it takes runs. That changes nothing but
the cost: what a handler does not take whole goes through the chain as ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..callables import name_of
from ..protocols import DeliversRuns, Middleware
from .handler import Handler


def why_one_by_one(handler: Handler, middlewares: Sequence[Middleware], subscription: object) -> str:
    """Return what keeps the messages of *handler* from going past its chain in runs; empty: nothing does.

    Args:
        handler: what was registered.
        middlewares: all that stand around it, those of the router too.
        subscription: delivers its messages.
    """
    if handler.take_run is None:
        return "its handler takes no runs"
    for middleware in middlewares:
        if not passes_success(middleware):
            return f"middleware {name_of(middleware)} sees each message"
    if handler.publisher is not None:
        return "it publishes what it returns"
    if handler.concurrency > 1:
        return "order is kept per message key"
    return "" if isinstance(subscription, DeliversRuns) else "its subscription delivers no runs"


def passes_success(middleware: object) -> bool:
    """Whether *middleware* says of its own call that it does nothing to a message whose handler returns nothing.

    A subclass with a call of its own has to say it itself: its parent knew nothing of that.
    """
    said = getattr(middleware, "passes_success", False)
    if not said or "passes_success" in getattr(middleware, "__dict__", {}):
        return bool(said)
    for each in type(middleware).__mro__:
        if "passes_success" in vars(each):
            return True
        if "__call__" in vars(each):
            return False
    return False
