"""`millstream ingest`: events from files into the store, through the router like everything else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from millstream.handlers.events import EventRepository
from millstream.handlers.settings.sections import Settings
from millstream.handlers.store import Store
from millstream.router import (
    MONOTONIC,
    Cancelled,
    ConfigurationError,
    ExitCode,
    HaltedError,
    Message,
    RouterConfig,
    SignalsHandler,
)

from .gc_tuning import tune_gc
from .ingest_poison import NUMBER, OFFSET, SOURCE, LinePoison
from .lines import Input, InputError, Line, read_lines
from .options import global_options, open_configured_store
from .pipeline import LocalPipeline
from .progress import progress, status_line

CHUNK_LINES = 1000
"""Lines handed over at a time."""
STDIN = "-"


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option(
    "--poison",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where refused lines go.  [default: <FILE>.poison.ndjson, for - stdin.poison.ndjson]",
)
@click.option("--max-poison", type=click.IntRange(min=0), help="Halt (exit 4) when more lines than this are refused.")
@global_options
def ingest(settings: Settings, files: tuple[str, ...], poison: Path | None, max_poison: int | None) -> None:
    """Store the usage events of FILE… (one JSON object a line; .gz and .zst are uncompressed; - is stdin).

    Lines that are no valid event are set aside with a reason, all others are stored. Safe to repeat: an event has a key
    and replaces itself. Exits 0 when everything is stored, 3 when lines were set aside, 2 when a file could not be read whole.
    """
    if files.count(STDIN) > 1:
        raise ConfigurationError(f"{STDIN}: stdin can be read only once")
    sources = [Input(name) for name in files]
    sink = LinePoison(sources, poison)
    with open_configured_store(settings) as store:
        tune_gc()
        code = Ingest(settings, store, sources, sink, max_poison).run()
    sys.exit(code)


class Ingest:
    """One run of the command."""

    def __init__(
        self, settings: Settings, store: Store, sources: Sequence[Input], sink: LinePoison, max_poison: int | None
    ) -> None:
        clickhouse = settings.clickhouse
        repository = EventRepository(
            store, database=clickhouse.database, table=clickhouse.table, billing=settings.billing
        )
        self._is_embedded = clickhouse.address.folder is not None
        repository.prepare(create=self._is_embedded)
        self._sources = sources
        self._sink = sink
        self._max_poison = max_poison
        self._signals = SignalsHandler()
        self._pipeline = LocalPipeline(
            repository,
            batch=settings.batch,
            poison=sink,
            retry=settings.retry.make_retry(),
            router=RouterConfig(close_timeout=settings.router.close_timeout),
            plugins=[self._signals],
        )
        sink.on_unwritable = self._pipeline.router.fail
        self._lines = 0
        self._blank = 0

    def run(self) -> ExitCode:
        """Read everything, store it, say what happened, and return the exit code."""
        began = MONOTONIC.now()
        is_whole = False
        self._pipeline.start()
        try:
            with progress("ingest", self._pipeline.snapshot, self._part_read):
                error = self._store_all()
            is_whole = error is None and not self._signals.received
        finally:
            self._signals.restore()
            if self._is_embedded:
                self._pipeline.service.stop_inserts()
            self._summarize(MONOTONIC.now() - began, is_whole)
        self._check_poisoned()
        return self._exit_code(error)

    def _store_all(self) -> InputError | None:
        error = None
        try:
            self._read_all()
        except InputError as unreadable:
            error = unreadable
        except Cancelled:
            pass  # the router is closing, and says why
        except HaltedError as halted:
            self._pipeline.router.fail(halted)
        self._pipeline.finish()
        return error

    def _read_all(self) -> None:
        for place, source in enumerate(self._sources):
            for lines in read_lines(source, lambda: not self._pipeline.router.is_running):
                messages = [_message(place, line) for line in lines if line.raw and not line.raw.isspace()]
                self._lines += len(lines)
                self._blank += len(lines) - len(messages)
                for first in range(0, len(messages), CHUNK_LINES):
                    if not self._hand_over(messages[first : first + CHUNK_LINES]):
                        return

    def _hand_over(self, chunk: list[Message]) -> bool:
        self._check_poisoned()
        return self._pipeline.publish(chunk)

    def _check_poisoned(self) -> None:
        poisoned = self._pipeline.snapshot().poisoned
        if self._max_poison is not None and poisoned > self._max_poison:
            raise HaltedError(f"{poisoned} lines were refused, more than --max-poison {self._max_poison}")

    def _part_read(self) -> float | None:
        sizes = [source.size_bytes for source in self._sources]
        total = sum(size for size in sizes if size is not None)
        if None in sizes or not total:
            return None
        return sum(source.read_bytes for source in self._sources) / total

    def _summarize(self, seconds: float, is_whole: bool) -> None:
        self._sink.close()
        now = self._pipeline.snapshot()
        for path, why in self._sink.remove_stale() if is_whole else ():
            click.echo(f"millstream: {path} is not of this run and cannot be removed: {why}", err=True)
        where = "".join(f", set aside in {path}" for path in self._sink.used())
        click.echo(
            f"{status_line(now)} lines {self._lines} blank {self._blank} in {seconds:.1f} s"
            f" ({now.stored / max(seconds, 1e-9):,.0f} events/s){where}",
            err=True,
        )

    def _exit_code(self, error: InputError | None) -> ExitCode:
        if error is not None:
            click.echo(
                f"millstream: {error}; read up to line {error.lines}, all of that is stored or set aside", err=True
            )
            return ExitCode.USAGE
        if self._signals.received:
            click.echo("millstream: interrupted; run the same command again, it is safe to repeat", err=True)
            return ExitCode.UNDRAINED
        return ExitCode.POISONED if self._pipeline.snapshot().poisoned else ExitCode.CLEAN


def _message(place: int, line: Line) -> Message:
    number = str(line.number)
    return Message(line.raw, uuid=number, metadata={SOURCE: str(place), NUMBER: number, OFFSET: str(line.byte_offset)})
