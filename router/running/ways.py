"""Which way the messages of a handler take: in runs, past the chain, or one by one through it.

In runs where nobody in the chain wants to see each message, or more of many than their number, and the handler says that it takes
runs. That changes nothing but the cost: what a handler does not take whole goes through the chain as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeGuard

from ..callables import name_of
from ..protocols import Admits, DeliversRuns, Middleware
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
        if not passes_success(middleware) and not admits_runs(middleware):
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
    return _says(middleware, "passes_success")


def admits_runs(middleware: object) -> TypeGuard[Admits]:
    """Whether *middleware* says how many messages of a run may go past it; the same holds for a subclass."""
    return isinstance(middleware, Admits) and _says(middleware, "admit")


def _says(middleware: object, name: str) -> bool:
    said = getattr(middleware, name, False)
    if not said or name in getattr(middleware, "__dict__", {}):
        return bool(said)
    for each in type(middleware).__mro__:
        if name in vars(each):
            return True
        if "__call__" in vars(each):
            return False
    return False
