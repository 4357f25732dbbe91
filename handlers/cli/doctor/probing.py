"""`--probe`: one marked event on the way of every other, timed until it is visible."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

import msgspec

from millstream.handlers.events import Event, EventPublisher
from millstream.handlers.events.probe import PROBE_TENANT, make_probe
from millstream.handlers.lanes.parts import CLOSE_SECONDS
from millstream.handlers.settings.sections import Settings
from millstream.handlers.store import Store, quote_table
from millstream.router import MONOTONIC, Clock, KafkaPublisher, MillstreamError

from .clocks import wall_clock
from .findings import Finding, Level, failure, ok, skipped
from .opening import open_for_looking

SUBJECT = "probe"
LOOK_SECONDS = 0.1
"""Between two looks into the table: what the time is exact to."""


class Probe:
    """Sends one event to the topic of the regular lane, and looks for it.

    Args:
        settings: the lane, the brokers and the store.
        brokers: win over those of the settings.
        timeout: seconds that it may take, from when it is handed to the brokers.
    """

    def __init__(self, settings: Settings, brokers: Sequence[str], timeout: float) -> None:
        self._settings = settings
        self._brokers = brokers
        self._timeout = timeout

    def run(self, *, is_possible: bool) -> Iterator[Finding]:
        """Yield what became of it; *is_possible* is whether broker and table are there."""
        lane = self._settings.event_processing
        if self._settings.clickhouse.address.folder is not None:
            yield failure(SUBJECT, "needs a ClickHouse server: an embedded store belongs to the service alone")
        elif not lane.enabled:
            yield failure(
                SUBJECT,
                "goes through [event_processing], which is not enabled: set enabled = true, or leave --probe out",
            )
        elif not is_possible:
            yield skipped(SUBJECT, "not sent, as broker, topic or table is missing")
        else:
            try:
                yield self._time(make_probe(wall_clock()))
            except MillstreamError as error:
                yield failure(SUBJECT, str(error))

    def _time(self, event: Event) -> Finding:
        with contextlib.closing(open_for_looking(self._settings.clickhouse)) as store:
            began = MONOTONIC.now()
            self._publish(event)
            confirmed = MONOTONIC.now() - began
            left = max(0.0, self._timeout - confirmed)
            is_seen = wait_until(lambda: self._is_visible(store, event), left)
            return judge_probe(event.id, confirmed, MONOTONIC.now() - began if is_seen else None, self._timeout)

    def _publish(self, event: Event) -> None:
        config = self._settings.kafka.publisher_config(self._brokers)
        # Time enough for company that never comes.
        limit = max(min(self._timeout, config.delivery_timeout), 2 * config.linger)
        limited = msgspec.structs.replace(config, delivery_timeout=limit, close_timeout=CLOSE_SECONDS)
        with contextlib.closing(KafkaPublisher(limited)) as publisher:
            EventPublisher(publisher, topic=self._settings.event_processing.topic).publish(event)

    def _is_visible(self, store: Store, event: Event) -> bool:
        table = quote_table(self._settings.clickhouse.database, self._settings.clickhouse.table)
        # The id is ours: letters, digits and a hyphen.
        sql = f"SELECT count() FROM {table} WHERE tenant_id = '{PROBE_TENANT}' AND id = '{event.id}'"  # noqa: S608 - as said
        return bool(store.query(sql).rows[0][0])


def wait_until(
    is_true: Callable[[], bool],
    timeout: float,
    *,
    clock: Clock = MONOTONIC,
    pause: Callable[[float], object] | None = None,
) -> bool:
    """Look until it is so, ten times a second; returns whether it was within *timeout* seconds. Looks once at least."""
    pause = threading.Event().wait if pause is None else pause
    deadline = clock.now() + timeout
    while not is_true():
        if clock.now() >= deadline:
            return False
        pause(LOOK_SECONDS)
    return True


def judge_probe(event_id: str, confirmed: float, visible: float | None, timeout: float) -> Finding:
    """Return what it means that the event was confirmed after so many seconds, and visible after so many, or never."""
    if visible is not None:
        return ok(SUBJECT, f"{event_id} visible {visible:.2f} s after it was sent, confirmed after {confirmed:.2f} s")
    told = f"{event_id} confirmed after {confirmed:.2f} s, but not visible {timeout:g} s after it was sent"
    mend = "does millstream run run, and how far is it behind (lag, above)? It comes in its turn, or is in the poison topic"
    return Finding(Level.UNSEEN, SUBJECT, f"{told}: {mend}")
