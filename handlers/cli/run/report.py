"""What a service says of itself while it runs: one line per interval."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

import msgspec
from loguru import logger

from millstream.handlers.events import EventConsumptionService
from millstream.router import MONOTONIC, Handler, KafkaSubscriber, UndrainedError
from millstream.router.worker_thread import WorkerThread

STOP_SECONDS = 1.0
"""What the last line may take: it asks nobody."""


class Snapshot(msgspec.Struct, frozen=True):
    """How far a service has come.

    Args:
        stored: events that the store has confirmed; `None` where there is no lane.
        inserts: INSERT statements sent, those that failed included.
        poisoned: messages set aside, their records safe.
        pending: messages delivered and not committed yet.
        oldest: seconds since the oldest message came that is in a batcher and not stored; 0 where there is none.
        post_process_errors: events whose post-processing message was not confirmed.
        store_down: seconds since the store went away; 0 while it is there.
    """

    stored: int | None
    inserts: int
    poisoned: int
    pending: int
    oldest: float
    post_process_errors: int
    store_down: float


class Report:
    """Logs a line every *interval* seconds, and one at the end, on a thread of its own; a context manager.

    Args:
        look: says how far it is. Asked on that thread, and at the end on the caller's.
        interval: seconds.
    """

    def __init__(self, look: Callable[[], Snapshot], interval: float) -> None:
        self._look = look
        self._interval = interval
        self._stopping = threading.Event()
        self._thread = WorkerThread("millstream-report", self._run)
        self._last = 0
        self._at = MONOTONIC.now()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(MONOTONIC.now() + STOP_SECONDS)
        with contextlib.suppress(Exception):  # at the end of a service nothing may hide what ended it
            self._say("ended", is_pending_known=not isinstance(error, UndrainedError))

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            self._say("running")

    def _say(self, text: str, *, is_pending_known: bool = True) -> None:
        snapshot = self._look()
        logger.bind(
            **self._progress(snapshot),
            poisoned=snapshot.poisoned,
            # What was not finished in time has been given up with its partitions by now, and is counted no more.
            **({"pending": snapshot.pending} if is_pending_known else {}),
            **({"oldest_seconds": round(snapshot.oldest, 1)} if snapshot.oldest and is_pending_known else {}),
            **({"post_process_errors": snapshot.post_process_errors} if snapshot.post_process_errors else {}),
            **({"store_down_seconds": round(snapshot.store_down)} if snapshot.store_down else {}),
        ).info(text)

    def _progress(self, snapshot: Snapshot) -> dict[str, int]:
        if snapshot.stored is None:
            return {}
        now = MONOTONIC.now()
        rate = (snapshot.stored - self._last) / max(now - self._at, 1e-9)
        self._last, self._at = snapshot.stored, now
        return {"stored": snapshot.stored, "per_second": round(rate), "inserts": snapshot.inserts}


def look_at(handlers: Iterable[Handler], service: EventConsumptionService | None) -> Snapshot:
    """Return how far *handlers* are, and the *service* behind those of them that are lanes, if any are."""
    handlers = list(handlers)
    subscribers = {id(each.subscriber): each.subscriber for each in handlers}.values()
    pending = sum(
        partition.pending
        for subscriber in subscribers
        if isinstance(subscriber, KafkaSubscriber)
        for subscription in subscriber.statistics()
        for partition in subscription.partitions
    )
    stats = None if service is None else service.stats
    batchers = [] if service is None else service.statistics().values()
    return Snapshot(
        stored=None if stats is None else stats.events,
        inserts=0 if stats is None else stats.inserts,
        poisoned=sum(handler.poisoned for handler in handlers),
        pending=pending,
        oldest=max([each.oldest_age for each in batchers], default=0.0),
        post_process_errors=0 if stats is None else stats.post_process_errors,
        store_down=0.0 if service is None else service.outage.seconds,
    )
