"""`millstream publish`: events from files into a Kafka topic."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import click
import msgspec

from millstream.handlers.events import InvalidEvent, decode_event, event_message
from millstream.handlers.settings.sections import Settings
from millstream.router import (
    MONOTONIC,
    Cancelled,
    ConfigurationError,
    ExitCode,
    HaltedError,
    KafkaPublisher,
    KafkaPublisherConfig,
    Message,
    MessageTooLarge,
)
from millstream.router.poison import REASON

from .gc_tuning import tune_gc
from .ingest_poison import NUMBER, OFFSET, SOURCE, LinePoison
from .lines import Input, InputError, Line, read_lines
from .options import global_options
from .pipeline import Snapshot
from .progress import progress
from .publish_signals import StopSignals
from .publish_topic import create_topic
from .publish_window import MAX_BYTES, MAX_MESSAGES, Window

RECORD_BYTES = 200
"""What a record has around its key, value and headers: the uuid's header name, lengths, the batch."""
CHUNK_LINES = 1000
"""Lines handed over at a time."""
CHUNK_BYTES = 1024 * 1024
"""The same in bytes: lines may be long."""
STDIN = "-"
MAX_PARTITIONS = 100_000
"""More than librdkafka asks any broker for."""
CLOSE_SECONDS = 0.1
"""What closing may wait for confirmations: whatever `close_timeout` allows, the window has waited for."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@click.option("--topic", help="Where to.  [default: that of [event_processing], which is events unless set]")
@click.option("--brokers", metavar="HOST:PORT,…", help="Some brokers of the cluster.  [default: [kafka] brokers]")
@click.option(
    "--create-topic",
    "partitions",
    type=click.IntRange(1, MAX_PARTITIONS),
    metavar="PARTITIONS",
    help="Create the topic with so many partitions if it is missing.",
)
@click.option(
    "--poison",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where refused lines go.  [default: <FILE>.poison.ndjson, for - stdin.poison.ndjson]",
)
@click.option("--max-poison", type=click.IntRange(min=0), help="Halt (exit 4) when more lines than this are refused.")
@global_options
def publish(
    settings: Settings,
    files: tuple[str, ...],
    topic: str | None,
    brokers: str | None,
    partitions: int | None,
    poison: Path | None,
    max_poison: int | None,
) -> None:
    """Publish the usage events of FILE… to Kafka (one JSON object a line; .gz and .zst are uncompressed; - is stdin).

    Each event is one message: the line as it came, keyed by tenant and customer. Lines that are no valid event are set aside
    with a reason. Waits while no broker can be reached. Safe to repeat: events come again, and replace themselves in the
    store. Exits 0 when everything is confirmed, 3 when lines were set aside, 5 when something was not confirmed.
    """
    if files.count(STDIN) > 1:
        raise ConfigurationError(f"{STDIN}: stdin can be read only once")
    config = settings.kafka.publisher_config(_addresses(brokers))
    topic = settings.event_processing.topic if topic is None else topic
    sources = [Input(name) for name in files]
    sink = LinePoison(sources, poison)
    if partitions is not None:
        create_topic(config, topic, partitions)
    tune_gc()
    run = Publish(_open(config), topic, sources, sink, max_poison, settings.router.close_timeout)
    sys.exit(run.run())


class Publish:
    """One run of the command."""

    def __init__(
        self,
        publisher: KafkaPublisher,
        topic: str,
        sources: Sequence[Input],
        sink: LinePoison,
        max_poison: int | None,
        close_timeout: float,
    ) -> None:
        self._publisher = publisher
        self._window = Window(publisher, topic)
        self._sources = sources
        self._sink = sink
        sink.on_unwritable = _raise
        self._max_poison = max_poison
        self._close_timeout = close_timeout
        self._signals = StopSignals()
        self._lines = 0
        self._poisoned = 0
        self._refused: list[Message] = []
        """Of the block at hand; written at once, as each write waits for the disk."""

    def run(self) -> ExitCode:
        """Read everything, publish it, say what happened, and return the exit code."""
        with self._signals.listening():
            began = MONOTONIC.now()
            error: InputError | None = None
            is_whole = False
            try:
                with progress("publish", self._snapshot, self._part_read, _status_line):
                    error = self._publish_and_close()
                is_whole = error is None and not self._signals.received and not self._window.unconfirmed
            finally:
                self._summarize(MONOTONIC.now() - began, is_whole)
            return self._exit_code(error)

    def _publish_and_close(self) -> InputError | None:
        try:
            return self._publish_all()
        finally:
            # Also where something was raised: what is in flight still gets its chance.
            try:
                self._finish()
            finally:
                self._write_refused()
                self._publisher.close()

    def _finish(self) -> None:
        try:
            self._window.finish(self._close_timeout, self._is_stopped)
        except HaltedError:
            self._window.finish(self._close_timeout, self._is_stopped)
            raise

    def _publish_all(self) -> InputError | None:
        try:
            for place, source in enumerate(self._sources):
                for lines in read_lines(source, self._stops_reading):
                    if not self._publish_lines(place, lines):
                        return None
        except InputError as unreadable:
            return unreadable
        except Cancelled:
            pass  # by a signal, as the exit code says
        return None

    def _publish_lines(self, place: int, lines: Sequence[Line]) -> bool:
        self._lines += len(lines)
        try:
            for chunk, origins in _chunks(self._messages(place, lines)):
                if not self._window.publish(chunk, self._is_stopped, partial(self._on_refused, place, origins)):
                    return False
            return True
        finally:
            self._write_refused()

    def _messages(self, place: int, lines: Sequence[Line]) -> Iterator[tuple[Message, Line]]:
        limit = self._publisher.config.max_message_bytes
        for line in lines:
            if not line.raw or line.raw.isspace():
                continue
            try:
                message = event_message(decode_event(line.raw), line.raw)
                # Keys and headers repeat parts of the payload, at most four times over.
                if 5 * len(line.raw) > limit:
                    _check_size(message, limit)
            except (InvalidEvent, MessageTooLarge) as refusal:
                self._set_aside(place, line, str(refusal))
            else:
                yield message, line

    def _on_refused(self, place: int, lines: Sequence[Line], number: int, reason: str) -> None:
        self._set_aside(place, lines[number], reason)

    def _set_aside(self, place: int, line: Line, reason: str) -> None:
        metadata = {SOURCE: str(place), NUMBER: str(line.number), OFFSET: str(line.byte_offset)}
        metadata[REASON] = reason.encode(errors="backslashreplace").decode()
        self._refused.append(Message(line.raw, metadata=metadata))
        count = self._poisoned + len(self._refused)
        # Said once: what else comes back refused while the run ends is set aside as well.
        if self._max_poison is not None and count == self._max_poison + 1:
            raise HaltedError(f"{count} lines were refused, more than --max-poison {self._max_poison}")

    def _write_refused(self) -> None:
        if self._refused:
            self._sink.write(self._refused)
            self._poisoned += len(self._refused)
            self._refused = []

    def _stops_reading(self) -> bool:
        """Look at what has become of the published, however long the next line takes to come."""
        self._window.finish(0.0, _at_once)
        self._write_refused()
        if (error := self._publisher.error) is not None:
            raise error
        return self._is_stopped()

    def _is_stopped(self) -> bool:
        return self._signals.received or bool(self._window.failed)

    def _snapshot(self) -> Snapshot:
        return Snapshot(self._window.confirmed, self._poisoned, 0)

    def _part_read(self) -> float | None:
        sizes = [source.size_bytes for source in self._sources]
        total = sum(size for size in sizes if size is not None)
        if None in sizes or not total:
            return None
        return sum(source.read_bytes for source in self._sources) / total

    def _summarize(self, seconds: float, is_whole: bool) -> None:
        self._sink.close()
        for path, why in self._sink.remove_stale() if is_whole else ():
            click.echo(f"millstream: {path} is not of this run and cannot be removed: {why}", err=True)
        where = "".join(f", set aside in {path}" for path in self._sink.used())
        now = self._snapshot()
        rate = now.stored / max(seconds, 1e-9)
        click.echo(
            f"{_status_line(now)} lines {self._lines} in {seconds:.1f} s ({rate:,.0f} events/s){where}", err=True
        )

    def _exit_code(self, error: InputError | None) -> ExitCode:
        window = self._window
        if error is not None:
            click.echo(f"millstream: {error}; read up to line {error.lines}", err=True)
        if self._signals.received or window.unconfirmed:
            why = "interrupted" if self._signals.received else window.reason or "closed"
            text = f"{window.confirmed} events confirmed, {window.unconfirmed} not: {why}"
            click.echo(f"millstream: {text}; run the same command again, it is safe to repeat", err=True)
            return ExitCode.UNDRAINED if error is None else ExitCode.USAGE
        if error is not None:
            return ExitCode.USAGE
        return ExitCode.POISONED if self._poisoned else ExitCode.CLEAN


def _open(config: KafkaPublisherConfig) -> KafkaPublisher:
    """Open a publisher with room for more than the window hands over, so that nothing waits where no signal is heard."""
    return KafkaPublisher(
        msgspec.structs.replace(
            config,
            close_timeout=CLOSE_SECONDS,
            buffer_messages=max(config.buffer_messages, 2 * MAX_MESSAGES),
            buffer_bytes=max(config.buffer_bytes, 2 * MAX_BYTES + config.max_message_bytes),
        )
    )


def _chunks(messages: Iterator[tuple[Message, Line]]) -> Iterator[tuple[list[Message], list[Line]]]:
    chunk: list[Message] = []
    lines: list[Line] = []
    size = 0
    for message, line in messages:
        chunk.append(message)
        lines.append(line)
        size += len(message.payload)
        if len(chunk) >= CHUNK_LINES or size >= CHUNK_BYTES:
            yield chunk, lines
            chunk, lines, size = [], [], 0
    if chunk:
        yield chunk, lines


def _at_once() -> bool:
    return True


def _addresses(brokers: str | None) -> list[str]:
    if brokers is None:
        return []
    given = [each.strip() for each in brokers.split(",") if each.strip()]
    if not given:
        raise ConfigurationError(f"--brokers names none: give host:port, not {brokers!r}")
    return given


def _check_size(message: Message, limit: int) -> None:
    key = message.key or b""
    headers = sum(len(name.encode()) + len(value.encode()) for name, value in message.metadata.items())
    size = len(message.payload) + len(key) + headers + len(message.uuid.encode()) + RECORD_BYTES
    if size > limit:
        raise MessageTooLarge(size, limit)


def _status_line(snapshot: Snapshot) -> str:
    return f"confirmed {snapshot.stored} poisoned {snapshot.poisoned}"


def _raise(error: ConfigurationError) -> None:
    raise error
