"""Whom a router works with: wrapped once, watched, and closed once, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import reason_of
from ..poison.choices import PoisonTopic
from ..protocols import Publisher, Supervised, Worker
from .handler_run import HandlerRun
from .shutdown import Closable, named


def decorated(neighbour: Any, decorators: Sequence[Callable[[Any], Any]], known: dict[int, Any]) -> Any:
    """Wrap *neighbour* once, also when several handlers share it; *known* keeps what was wrapped."""
    if neighbour is None:
        return None
    if id(neighbour) not in known:
        wrapped = neighbour
        for decorate in decorators:
            wrapped = decorate(wrapped)
        known[id(neighbour)] = wrapped
    return known[id(neighbour)]


def death_of(neighbour: object) -> BaseException | None:
    """Return what a neighbour with a thread of its own died of: while nobody calls it, nobody would hear of it."""
    if not isinstance(neighbour, Supervised):
        return None
    error: object = neighbour.error  # of any make: a neighbour's attribute may mean something else
    return error if isinstance(error, BaseException) else None


def last_errors_of(runs: Sequence[HandlerRun], workers: Sequence[Worker]) -> dict[str, str]:
    """Return what went wrong last for *workers* and for the poison sinks of *runs*, by name; what was mended is not among it."""
    sinks = [run.sink_worker for run in runs if run.sink_worker is not None]
    found: dict[str, str] = {}
    for worker in [*workers, *sinks]:
        error: object = worker.error  # of any make, as above
        text = reason_of(error) if isinstance(error, BaseException) else named(worker)[1]
        if text:
            found[worker.name] = text
    return found


def publishers_of(runs: Sequence[HandlerRun]) -> list[Publisher]:
    """Return the publishers that the handlers of *runs* were given, those of their poison topics included."""
    own = [run.handler.publisher for run in runs if run.handler.publisher is not None]
    return [*own, *_poison_publishers(runs)]


def to_close(runs: Sequence[HandlerRun], others: Sequence[object]) -> list[Closable]:
    """Return the publishers of *runs* that are in none of *others*: as the handlers have them, then those of poison topics only.

    Subscribers are not among them: a router closes the subscriptions that it has opened, and they may have more.
    """
    publishers = [(run.handler.publisher, run.publisher) for run in runs]
    known = [given for given, _ in publishers]
    topics = [(topic, topic) for topic in _poison_publishers(runs) if all(topic is not each for each in known)]
    return [
        own for given, own in [*publishers, *topics] if own is not None and all(given is not each for each in others)
    ]


def _poison_publishers(runs: Sequence[HandlerRun]) -> list[Publisher]:
    choices = [run.handler.poison for run in runs]
    return [choice.publisher for choice in choices if isinstance(choice, PoisonTopic)]
