"""`millstream publish`: events from files into a Kafka topic."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
import msgspec

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
)
from millstream.router.kafka.names import checked_name
from millstream.router.poison import REASON

from .brokers import addresses, brokers_option
from .event_files import REPEAT, EventFiles, file_parameters, say_unreadable
from .exits import WRONG, exits
from .gc_tuning import tune_gc
from .line_poison import line_metadata
from .lines import InputError, Line
from .options import options_without_store
from .parameter_types import WholeNumber
from .pipeline import Snapshot
from .progress import progress
from .publish_chunks import make_chunks
from .publish_signals import StopSignals
from .publish_topic import create_topic
from .publish_window import MAX_BYTES, MAX_MESSAGES, Window

MAX_PARTITIONS = 100_000
"""More than librdkafka asks any broker for."""
CLOSE_SECONDS = 0.1
"""What closing may wait for confirmations: whatever `close_timeout` allows, the window has waited for."""


@exits(
    clean="everything is confirmed",
    usage=f"{WRONG}, an unreadable file, or a refusal",
    poisoned="everything else is confirmed, but lines were set aside",
    halted="halted: more lines than --max-poison were refused",
    undrained="not all is confirmed: by a signal, or no broker; safe to repeat",
    hears_signals=True,
)
@click.command()
@click.option("--topic", help="Where to.  [default: [kafka] topic, else that of [event_processing], which is events]")
@brokers_option
@click.option(
    "--create-topic",
    "partitions",
    type=WholeNumber(1, MAX_PARTITIONS),
    metavar="PARTITIONS",
    help="Create the topic with so many partitions if it is missing.",
)
@file_parameters
@options_without_store
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
    with a reason. Waits while no broker can be reached; after a signal only as long as something is confirmed every second.
    Safe to repeat: events come again, and replace themselves in the store.

    \b
    Example:
      millstream publish events.ndjson.gz --topic events --create-topic 6
    """
    config = settings.kafka.publisher_config(addresses(brokers))
    topic = settings.publish_topic if topic is None else checked_name("--topic", topic)
    events = EventFiles(files, poison, max_poison)
    if partitions is not None:
        create_topic(config, topic, partitions)
    tune_gc()
    sys.exit(Publish(_open(config), topic, events, settings.router.close_timeout).run())


class Publish:
    """One run of the command."""

    def __init__(self, publisher: KafkaPublisher, topic: str, files: EventFiles, close_timeout: float) -> None:
        self._publisher = publisher
        self._window = Window(publisher, topic)
        self._files = files
        files.sink.on_unwritable = _raise
        self._close_timeout = close_timeout
        self._signals = StopSignals()
        self._poisoned = 0
        self._handed_over = 0
        """Lines that are not only read but published or refused."""
        self._not_sent = 0
        """Lines of the block at hand that were read, and not handed over as the end came first."""
        self._refused: list[Message] = []
        """Of the block at hand; written at once, as each write waits for the disk."""

    def run(self) -> ExitCode:
        """Read everything, publish it, say what happened, and return the exit code."""
        with self._signals.listening():
            began = MONOTONIC.now()
            error: InputError | None = None
            is_whole = False
            try:
                with progress("publish", self._snapshot, self._part_done, _status_line):
                    error = self._publish_and_close()
                is_whole = error is None and not self._signals.received and not self._window.unconfirmed
            finally:
                now = self._snapshot()
                counts = f"{_status_line(now)} lines {self._files.lines}"
                self._files.summarize(counts, now.stored, MONOTONIC.now() - began, is_whole=is_whole)
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
            for place, lines in self._files.read(self._stops_reading):
                if not self._publish_lines(place, lines):
                    return None
        except InputError as unreadable:
            return unreadable
        except Cancelled:
            pass  # by a signal, as the exit code says
        return None

    def _publish_lines(self, place: int, lines: Sequence[Line]) -> bool:
        limit = self._publisher.config.max_message_bytes
        try:
            for chunk, origins in make_chunks(lines, limit, partial(self._set_aside, place)):
                if not self._window.publish(chunk, self._is_stopped, partial(self._on_refused, place, origins)):
                    self._not_sent = len(chunk) + lines[-1].number - origins[-1].number
                    return False
            self._handed_over += len(lines)
            return True
        finally:
            self._write_refused()

    def _part_done(self) -> float | None:
        return self._files.part_done(self._files.lines - self._handed_over + self._window.unconfirmed)

    def _on_refused(self, place: int, lines: Sequence[Line], number: int, reason: str) -> None:
        self._set_aside(place, lines[number], reason)

    def _set_aside(self, place: int, line: Line, reason: str) -> None:
        metadata = line_metadata(place, line)
        metadata[REASON] = reason.encode(errors="backslashreplace").decode()
        self._refused.append(Message(line.raw, metadata=metadata))
        count = self._poisoned + len(self._refused)
        # Said once: what else comes back refused while the run ends is set aside as well.
        if self._files.max_poison is not None and count == self._files.max_poison + 1:
            raise self._files.too_many(count)

    def _write_refused(self) -> None:
        if self._refused:
            self._files.sink.write(self._refused)
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

    def _exit_code(self, error: InputError | None) -> ExitCode:
        window = self._window
        if error is not None:
            say_unreadable(error)
        if self._signals.received or window.unconfirmed:
            why = "interrupted" if self._signals.received else window.reason or "closed"
            text = f"{window.confirmed} events confirmed, {window.unconfirmed + self._not_sent} not: {why}"
            click.echo(f"millstream: {text}; {REPEAT}", err=True)
            return ExitCode.UNDRAINED if error is None else ExitCode.USAGE
        if error is not None or self._files.left_out:
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


def _at_once() -> bool:
    return True


def _status_line(snapshot: Snapshot) -> str:
    return f"confirmed {snapshot.stored} poisoned {snapshot.poisoned}"


def _raise(error: ConfigurationError) -> None:
    raise error
