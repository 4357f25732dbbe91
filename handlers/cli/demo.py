"""`millstream demo`: the main job on made-up events, and what batching is worth."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
import threading
from collections.abc import Iterator

import click
import msgspec
from click.core import ParameterSource
from rich.console import Console
from rich.table import Table

from millstream.handlers.events import EventConsumptionService, EventRepository
from millstream.handlers.settings.sections import ClickHouseConfig, Settings
from millstream.handlers.store import Store, quote_table
from millstream.router import MONOTONIC, Message, RouterConfig, SignalsHandler

from .demo_events import make_events
from .exits import exits
from .gc_tuning import tune_gc
from .options import given_options, global_options, open_configured_store
from .parameter_types import Number, WholeNumber
from .pipeline import LocalPipeline
from .progress import progress

CHUNK_EVENTS = 1000
TICK_SECONDS = 0.1
"""How often a part of `--rate` is published."""
SAMPLE_EVENTS = 200
"""Events for the per-message way: at some 100 a second enough to compare, and over in a few seconds."""
SAMPLE_TABLE = "events_per_message"
TOP_CUSTOMERS = """\
SELECT external_customer_id, count(), sum(JSONExtractUInt(properties, 'bytes')) AS bytes
FROM {table} FINAL WHERE source = 'demo'
GROUP BY external_customer_id ORDER BY bytes DESC, external_customer_id LIMIT 5"""


class Way(msgspec.Struct, frozen=True):
    """What one way of storing events came to; *inserts* is the engine's own count."""

    name: str
    events: int
    inserts: int
    seconds: float

    @property
    def rows_per_insert(self) -> int:
        """Events per INSERT, rounded."""
        return round(self.events / self.inserts) if self.inserts else 0


@exits(
    clean="done, or ended by a first signal",
    halted="halted: the store refuses an event",
    undrained="ended by a signal with events that were not stored in time",
    hears_signals=True,
)
@click.command()
@click.option("--events", default=100_000, show_default=True, type=WholeNumber(min=1), help="How many.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same events.")
@click.option("--rate", type=Number(min=0, min_open=True), help="Events a second.  [default: as fast as it goes]")
@click.option("--forever", is_flag=True, help="Go on until interrupted.")
@global_options
def demo(settings: Settings, events: int, seed: int, rate: float | None, forever: bool) -> None:
    """Run made-up usage events through broker, router, middleware, batcher and store, and show what became of them.

    Uses a new temporary store, whatever the settings say. With --store here, the events stay in that one, in the table of the
    settings and in events_per_message.

    \b
    Example:
      millstream demo --events 20000 --rate 5000
    """
    if forever and click.get_current_context().get_parameter_source("events") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--forever has no end: leave --events out", click.get_current_context())
    with demo_settings(settings, given_options().store) as chosen, open_configured_store(chosen) as store:
        tune_gc()
        Demo(chosen, store).run(None if forever else events, seed, rate)


@contextlib.contextmanager
def demo_settings(settings: Settings, store: str | None) -> Iterator[Settings]:
    """Give the settings of a demo for the body: made-up events go to a store of their own, which is removed behind it.

    Args:
        settings: what else the demo heeds.
        store: the address on the command line, which *settings* hold already: the only one that it may write to.
    """
    if store is not None:
        yield settings
        return
    folder = tempfile.mkdtemp(prefix="millstream-demo-")
    try:
        yield msgspec.structs.replace(settings, clickhouse=ClickHouseConfig(dsn=f"chdb://{folder}"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Demo:
    """One run of the command."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store

    def run(self, count: int | None, seed: int, rate: float | None) -> None:
        """Run both ways and print the tables."""
        batched = self._batched(count, seed, rate)
        per_message = self._per_message(seed)
        click.echo(_rendered(_ways_table([batched, per_message])), nl=False)
        click.echo(_rendered(self._customers_table()), nl=False)
        click.echo(f"rows per INSERT: {batched.rows_per_insert}")

    def _repository(self, table: str) -> EventRepository:
        clickhouse = self._settings.clickhouse
        repository = EventRepository(
            self._store, database=clickhouse.database, table=table, billing=self._settings.billing
        )
        repository.create_table()
        return repository

    def _batched(self, count: int | None, seed: int, rate: float | None) -> Way:
        signals = SignalsHandler()
        pipeline = LocalPipeline(
            self._repository(self._settings.clickhouse.table),
            batch=self._settings.batch,
            poison="none",
            retry=self._settings.retry.make_retry(),
            router=RouterConfig(close_timeout=self._settings.router.close_timeout),
            plugins=[signals],
        )
        inserts, began = self._store.insert_count(), MONOTONIC.now()
        pipeline.start()
        try:
            part = (lambda: pipeline.snapshot().stored / count) if count is not None else lambda: None
            with progress("demo", pipeline.snapshot, part):
                _publish(pipeline, itertools.islice(make_events(seed), count), rate)
                pipeline.finish()
        finally:
            signals.restore()
            if self._settings.clickhouse.address.folder is not None:
                pipeline.service.stop_inserts()
        seconds = MONOTONIC.now() - began
        return Way("batched", pipeline.snapshot().stored, self._store.insert_count() - inserts, seconds)

    def _per_message(self, seed: int) -> Way:
        service = EventConsumptionService(self._repository(SAMPLE_TABLE))
        sample = [Message(payload, uuid=uuid) for uuid, payload in itertools.islice(make_events(seed), SAMPLE_EVENTS)]
        inserts, began = self._store.insert_count(), MONOTONIC.now()
        for message in sample:
            service.process_message(message)
        seconds = MONOTONIC.now() - began
        return Way("per message (sample)", len(sample), self._store.insert_count() - inserts, seconds)

    def _customers_table(self) -> Table:
        name = quote_table(self._settings.clickhouse.database, self._settings.clickhouse.table)
        rows = self._store.query(TOP_CUSTOMERS.format(table=name)).rows
        table = Table(title="top customers by usage, computed in SQL from the stored rows")
        table.add_column("customer")
        table.add_column("events", justify="right")
        table.add_column("bytes", justify="right")
        for customer, events, used in rows:
            table.add_row(str(customer), f"{events:,}", f"{used:,}")
        return table


def _publish(pipeline: LocalPipeline, events: Iterator[tuple[str, bytes]], rate: float | None) -> None:
    size = CHUNK_EVENTS if rate is None else max(1, round(min(CHUNK_EVENTS, rate * TICK_SECONDS)))
    began, sent, pause = MONOTONIC.now(), 0, threading.Event()
    while chunk := [Message(payload, uuid=uuid) for uuid, payload in itertools.islice(events, size)]:
        if not pipeline.publish(chunk):
            return
        sent += len(chunk)
        # In small steps: at less than an event a second, a signal must not wait for the next one.
        while rate is not None and pipeline.router.is_running and (left := began + sent / rate - MONOTONIC.now()) > 0:
            pause.wait(min(TICK_SECONDS, left))


def _rendered(table: Table) -> str:
    """Return *table* as text; printed by rich itself, a reader that goes away would end the process with a code of rich's."""
    console = Console()
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def _ways_table(ways: list[Way]) -> Table:
    table = Table(title="what batching is worth (INSERTs as counted by the engine)")
    table.add_column("way")
    for column in ("events", "INSERTs", "rows per INSERT", "events/s"):
        table.add_column(column, justify="right")
    for way in ways:
        rate = way.events / max(way.seconds, 1e-9)
        table.add_row(way.name, f"{way.events:,}", f"{way.inserts:,}", f"{way.rows_per_insert:,}", f"{rate:,.0f}")
    return table
