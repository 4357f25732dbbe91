"""`millstream ingest`: events from files into the store, through the router like everything else."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from millstream.handlers.events import EventRepository
from millstream.handlers.settings.sections import Settings
from millstream.handlers.store import Store
from millstream.router import (
    MONOTONIC,
    Cancelled,
    ExitCode,
    HaltedError,
    Message,
    RouterConfig,
    SignalsHandler,
)

from .event_files import CHUNK_LINES, REPEAT, EventFiles, file_parameters, say_unreadable
from .exits import WRONG, exits
from .gc_tuning import tune_gc
from .line_poison import line_metadata
from .lines import InputError, Line
from .options import global_options, open_configured_store
from .pipeline import LocalPipeline
from .progress import progress, status_line


@exits(
    clean="everything is stored",
    usage=f"{WRONG}, an unreadable file, or no store",
    poisoned="everything else is stored, but lines were set aside",
    halted="halted: more lines than --max-poison were refused, or a view fails",
    undrained="ended by a signal; safe to repeat",
    hears_signals=True,
)
@click.command()
@file_parameters
@global_options
def ingest(settings: Settings, files: tuple[str, ...], poison: Path | None, max_poison: int | None) -> None:
    """Store the usage events of FILE… (one JSON object a line; .gz and .zst are uncompressed; - is stdin).

    Lines that are no valid event are set aside with a reason, all others are stored. Safe to repeat: an event has a key
    and replaces itself.

    \b
    Example:
      millstream ingest events.ndjson.gz
    """
    events = EventFiles(files, poison, max_poison)
    with open_configured_store(settings) as store:
        tune_gc()
        code = Ingest(settings, store, events).run()
    sys.exit(code)


class Ingest:
    """One run of the command."""

    def __init__(self, settings: Settings, store: Store, files: EventFiles) -> None:
        clickhouse = settings.clickhouse
        repository = EventRepository(
            store, database=clickhouse.database, table=clickhouse.table, billing=settings.billing
        )
        self._is_embedded = clickhouse.address.folder is not None
        repository.prepare(create=self._is_embedded)
        self._files = files
        self._signals = SignalsHandler()
        self._pipeline = LocalPipeline(
            repository,
            batch=settings.batch,
            poison=files.sink,
            retry=settings.retry.make_retry(),
            router=RouterConfig(close_timeout=settings.router.close_timeout),
            plugins=[self._signals],
        )
        files.sink.on_unwritable = self._pipeline.router.fail
        self._blank = 0

    def run(self) -> ExitCode:
        """Read everything, store it, say what happened, and return the exit code."""
        began = MONOTONIC.now()
        is_whole = False
        self._pipeline.start()
        try:
            with progress("ingest", self._pipeline.snapshot, self._part_done):
                error = self._store_all()
            is_whole = error is None and not self._signals.received
        finally:
            self._signals.restore()
            if self._is_embedded:
                self._pipeline.service.stop_inserts()
            now = self._pipeline.snapshot()
            counts = f"{status_line(now)} lines {self._files.lines} blank {self._blank}"
            self._files.summarize(counts, now.stored, MONOTONIC.now() - began, is_whole=is_whole)
        self._check_poisoned()
        return self._exit_code(error)

    def _part_done(self) -> float | None:
        return self._files.part_done(self._without_outcome())

    def _without_outcome(self) -> int:
        now = self._pipeline.snapshot()
        return max(0, self._files.lines - self._blank - now.stored - now.poisoned)

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
        for place, lines in self._files.read(lambda: not self._pipeline.router.is_running):
            messages = [_message(place, line) for line in lines if line.raw and not line.raw.isspace()]
            self._blank += len(lines) - len(messages)
            for first in range(0, len(messages), CHUNK_LINES):
                if not self._hand_over(messages[first : first + CHUNK_LINES]):
                    return

    def _hand_over(self, chunk: list[Message]) -> bool:
        self._check_poisoned()
        return self._pipeline.publish(chunk)

    def _check_poisoned(self) -> None:
        poisoned = self._pipeline.snapshot().poisoned
        if self._files.max_poison is not None and poisoned > self._files.max_poison:
            raise self._files.too_many(poisoned)

    def _exit_code(self, error: InputError | None) -> ExitCode:
        if error is not None:
            say_unreadable(error, ", all of that is stored or set aside")
            return ExitCode.USAGE
        if self._signals.received:
            left = self._without_outcome()
            text = f", {left} lines that were read are neither stored nor set aside" if left else ""
            click.echo(f"millstream: interrupted{text}; {REPEAT}", err=True)
            return ExitCode.UNDRAINED
        if self._files.left_out:
            return ExitCode.USAGE
        return ExitCode.POISONED if self._pipeline.snapshot().poisoned else ExitCode.CLEAN


def _message(place: int, line: Line) -> Message:
    return Message(line.raw, uuid=str(line.number), metadata=line_metadata(place, line))
