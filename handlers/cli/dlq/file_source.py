"""Poison records in a file. What was replayed is noted in a file beside it, once it is confirmed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from millstream.router import ConfigurationError
from millstream.router.kafka import KafkaPublisherConfig
from millstream.router.kafka.names import name_of
from millstream.router.kafka.publishing.transactions import Fenced, TransactionalSender

from .file_notes import add_notes, hash_of, read_notes
from .file_records import parse_record
from .records import PoisonRecord
from .sources import Item

CHUNK_RECORDS = 1000
"""Read at a time."""
ENDING = ".replayed"


class FileSource:
    """The records of one file, as `PoisonFile`, `ingest` or `publish` write it.

    Args:
        path: the file.
        writer: the settings of the publisher; `None`: nothing is sent.
        group: who replays it.

    Raises:
        ConfigurationError: it cannot be read.
    """

    def __init__(self, path: Path, writer: KafkaPublisherConfig | None, group: str) -> None:
        self.name = str(path)
        self._path = path
        self._notes = path.with_name(path.name + ENDING)
        self._writer = writer
        self._group = group
        self._end = 0
        self._replayed: dict[int, str] = {}
        """The hash of each record that was replayed, by the byte that it begins at."""

    def look(self) -> None:
        """See `Source.look`."""
        try:
            self._end = self._path.stat().st_size
            self._replayed = read_notes(self._notes)
        except OSError as error:
            raise ConfigurationError(f"{error.filename}: {error.strerror}") from None

    def read(self, is_stopped: Callable[[], bool]) -> Generator[Sequence[PoisonRecord]]:
        """See `Source.read`. A last line that is being written is left out."""
        chunk: list[PoisonRecord] = []
        begin = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                end = begin + len(line)
                if end > self._end or not line.endswith(b"\n") or is_stopped():
                    break
                if not line.isspace():
                    chunk.append(self._record(line, number, begin))
                begin = end
                if len(chunk) >= CHUNK_RECORDS:
                    yield chunk
                    chunk = []
        if chunk:
            yield chunk

    def read_left(self, is_stopped: Callable[[], bool]) -> Generator[Sequence[PoisonRecord]]:
        """See `Source.read_left`."""
        return self.read(is_stopped)

    def _record(self, line: bytes, number: int, begin: int) -> PoisonRecord:
        try:
            message, origin = parse_record(line)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f"{self.name}, line {number} is no poison record: {error}") from None
        is_replayed = self._replayed.get(begin) == hash_of(line)
        return PoisonRecord(message, self.name, begin, begin + len(line), is_replayed=is_replayed, line=origin)

    @contextlib.contextmanager
    def outbox(self) -> Iterator[FileOutbox]:
        """See `Source.outbox`."""
        if self._writer is None:
            raise ConfigurationError("no Kafka brokers are set: give --brokers host:port")
        sender = TransactionalSender(self._writer, self._group, name_of(self._group, os.path.realpath(self._path)))
        with contextlib.closing(sender):
            sender.open()
            self._replayed = read_notes(self._notes)  # only now nobody else can add to it
            yield FileOutbox(self._path, self._notes, sender, self._replayed)

    def close(self) -> None:
        """Nothing is open."""


class FileOutbox:
    """Sends back what came from a file.

    Args:
        path: the file.
        notes: where it is noted.
        sender: is open.
        replayed: what is noted; kept up to date.
    """

    def __init__(self, path: Path, notes: Path, sender: TransactionalSender, replayed: dict[int, str]) -> None:
        self._path = path
        self._notes = notes
        self._sender = sender
        self._replayed = replayed
        self._is_open = True

    def send(self, items: Sequence[Item]) -> None:
        """See `Outbox.send`. Killed between the two, the next replay sends these once more."""
        if not self._is_open:
            self._sender.open()
            if read_notes(self._notes) != self._replayed:
                raise Fenced("another replay has sent in the meantime")
        self._is_open = False
        self._sender.send([back for _, back in items if back is not None], "", {})
        self._is_open = True
        with self._path.open("rb") as file:
            notes = {record.begin: _hash_at(file, record) for record, _ in items}
        add_notes(self._notes, notes)
        self._replayed.update(notes)


def _hash_at(file: Any, record: PoisonRecord) -> str:
    file.seek(record.begin)
    return hash_of(file.read(record.end - record.begin))
