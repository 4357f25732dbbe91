"""Closing everything in the one order that loses and repeats nothing.

1. Stop intake: no new message, and every wait (retry sleep, nack delay) ends. Inside the process upstream before downstream.
2. Let handlers finish: what they produce still finds its publisher, its batcher and its poison sink open.
3. Drain the workers: batchers flush what was handed to them, and may still poison.
4. Drain the poison sinks: a record must be safe before its message is committed.
5. Commit and leave: subscriptions close only now, so that whatever was finished is never delivered again.
6. Close publishers, each once, but for those that another router uses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from loguru import logger

from ..clock import MONOTONIC
from ..delivery.context import Scope
from ..protocols import TellsLastError, Worker
from .handler_run import HandlerRun

COMMIT_SECONDS = 2.0
"""Kept back from the time-out for the poison records and the commit, however long a handler takes."""


class Closable(Protocol):
    """What has a `close`."""

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...


def shut_down(
    runs: Sequence[HandlerRun],
    workers: Sequence[Worker],
    scope: Scope,
    timeout: float,
    fail: Callable[[BaseException], None],
) -> list[tuple[str, str]]:
    """Take steps 1 to 5; returns the names of what was not done in *timeout* seconds, each with its last error, empty for none.

    What a worker or a subscription raises goes to *fail* and does not keep the others from draining and committing.
    """
    deadline = MONOTONIC.now() + timeout
    drain_deadline = deadline - min(COMMIT_SECONDS, timeout / 4)
    scope.close()
    left: list[tuple[str, str]] = []
    for wave in _waves(runs):
        for run in wave:
            run.stop()
        busy = [thread for run in wave for thread in run.threads if not thread.join(drain_deadline)]
        left += [(thread.name, thread.last_error.text) for thread in busy]
    left += [named(worker) for worker in workers if not _drain(worker, drain_deadline, fail)]
    sinks = [run.sink_worker for run in runs if run.sink_worker is not None]
    left += [named(sink) for sink in sinks if not _drain(sink, deadline, fail)]
    for run in runs:
        run.begin_close_subscription()
    for run in runs:
        try:
            run.close_subscription()
        except Exception as error:  # noqa: BLE001 - a transport of any make; the others must still commit
            fail(error)
    for name, last_error in left:
        text = "still running at the end of the close time-out: {name}, its last error: {error}"
        logger.warning(text, name=name, error=last_error or "none")
    return left


def named(worker: Worker) -> tuple[str, str]:
    """Return the name of *worker*, and what went wrong last, empty where nothing did or it does not tell."""
    return worker.name, worker.last_error if isinstance(worker, TellsLastError) else ""


def _waves(runs: Sequence[HandlerRun]) -> Iterator[list[HandlerRun]]:
    """Yield the handlers in the order of stopping: who publishes to another one inside the process stops before it.

    Otherwise a handler that waits for room in a full topic, whose reader has stopped, would wait until the time-out.
    """
    rest = list(runs)
    while rest:
        heads = [run for run in rest if not any(other.feeds(run) for other in rest if other is not run)]
        wave = heads or rest
        yield wave
        rest = [run for run in rest if run not in wave]


def _drain(worker: Worker, deadline: float, fail: Callable[[BaseException], None]) -> bool:
    """Drain *worker*; returns False where it still runs."""
    try:
        # One that died does not run any more: what it died of is the error of the router.
        return worker.drain(deadline) or worker.error is not None
    except Exception as error:  # noqa: BLE001 - a worker of any make; the others must still drain
        fail(error)
        return False


def close_once(neighbours: Sequence[Closable]) -> None:
    """Close each of *neighbours* once, however often it is named; one that fails does not keep the others open."""
    for neighbour in {id(each): each for each in neighbours}.values():
        try:
            neighbour.close()
        except Exception as error:  # noqa: BLE001 - a neighbour of any make, at the very end
            logger.opt(exception=error).warning("could not close {}", type(neighbour).__name__)
