"""Where refused lines are set aside: one file per input, replaced by a run that has something to write."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from millstream.handlers.events import InvalidEvent, decode_event
from millstream.router import ConfigurationError, Message, MessageTooLarge, PoisonFile
from millstream.router.poison import REASON, payload_fields

from .exit_report import clean
from .lines import Input, Line

SOURCE, NUMBER, OFFSET = "source", "line", "byte_offset"
"""Metadata that says where a message came from."""
MAX_LOOK_BYTES = 1024 * 1024
"""What is looked at of a file that is about to be replaced: as much as an event may have."""
MAX_REASON_CHARACTERS = 200
"""Of the reason that is told at the end: the longest one of an event is shorter."""

_LASTING = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
"""What does not go away by waiting, unlike a disk that is full."""


def poison_path(source: str) -> Path:
    """Return the file beside *source* that its refused lines go to; for stdin, one in the current folder."""
    return Path("stdin.poison.ndjson") if source == "-" else Path(f"{source}.poison.ndjson")


def line_metadata(place: int, line: Line) -> dict[str, str]:
    """Return what a message has to say of the *line* it came from, in the input at *place*."""
    return {SOURCE: str(place), NUMBER: str(line.number), OFFSET: str(line.byte_offset)}


def line_record(message: Message) -> Mapping[str, Any]:
    """Return the record of a refused line."""
    return {
        "line": int(message.metadata[NUMBER]),
        "byte_offset": int(message.metadata[OFFSET]),
        "reason": message.metadata[REASON],
        **payload_fields(message.payload, "raw"),
    }


class LinePoison:
    """A poison sink with a file for each input.

    Args:
        sources: the inputs, in order; the metadata of a message names its input by place.
        path: one file for all of them, or `None` for one beside each.

    Raises:
        ConfigurationError: a poison file would overwrite an input or another file of events, or *path* is in no folder.
    """

    says_itself = True
    """Its command tells at its end what is in the files."""

    def __init__(self, sources: Sequence[Input], path: Path | None) -> None:
        if path is not None and not os.access(path.parent, os.F_OK):
            raise ConfigurationError(f"--poison {path}: No such file or directory: {path.parent}")
        paths = [poison_path(source.name) if path is None else path for source in sources]
        # By where they lead to: two names of one file must not replace each other's records.
        places = [os.path.realpath(each) for each in paths]
        self._files = {
            place: PoisonFile(each, replace=True, record=line_record)
            for place, each in reversed(list(zip(places, paths, strict=True)))
        }
        self._by_source = [self._files[each] for each in places]
        self._first: dict[Path, Message] = {}
        """What was written first into each file."""
        self.on_unwritable: Callable[[ConfigurationError], None] = lambda _error: None
        """Told, on the sink's thread, that a file can never be written; its lines stay unsettled."""
        for file in self._files.values():
            if any(source.is_file_at(file.path) for source in sources):
                raise ConfigurationError(f"--poison {file.path} is an input: it would be overwritten")
            if _holds_events(file.path):
                raise ConfigurationError(f"--poison {file.path} holds events: it would be overwritten")

    def write(self, messages: Sequence[Message]) -> None:
        """Write the records of *messages*, each into the file of its input."""
        groups: dict[int, list[Message]] = {}
        for message in messages:
            groups.setdefault(int(message.metadata[SOURCE]), []).append(message)
        for source, group in groups.items():
            self._write(self._by_source[source], group)

    def _write(self, file: PoisonFile, messages: Sequence[Message]) -> None:
        try:
            file.write(messages)
        except OSError as error:
            if error.errno in _LASTING:
                text = f"lines cannot be set aside in {file.path}: {error.strerror}; name another file with --poison"
                self.on_unwritable(ConfigurationError(text))
            raise
        self._first.setdefault(file.path, messages[0])

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def remove_stale(self) -> list[tuple[Path, str]]:
        """Remove files of earlier runs that this run had nothing to write to: they speak of lines that are stored now.

        Returns:
            those that cannot be removed, with the reason.
        """
        left = []
        for file in self._files.values():
            try:
                if not file.is_used and stat.S_ISREG(file.path.stat().st_mode):
                    file.path.unlink()
            except OSError as error:
                if error.errno not in {errno.ENOENT, errno.ENAMETOOLONG}:
                    left.append((file.path, error.strerror or str(error)))
        return left

    def used(self) -> dict[Path, str]:
        """Return the files that were written, each with its first line and what is wrong with that, in words."""
        firsts = {file.path: self._first.get(file.path) for file in self._files.values() if file.is_used}
        return {path: "" if first is None else _words(first) for path, first in firsts.items()}


def _words(message: Message) -> str:
    return f"line {message.metadata[NUMBER]}: {clean(message.metadata[REASON], MAX_REASON_CHARACTERS)}"


def _holds_events(path: Path) -> bool:
    """Return whether *path* is a file that begins with an event: no poison file of an earlier run does."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            decode_event(file.readline(MAX_LOOK_BYTES))
    except (OSError, InvalidEvent, MessageTooLarge):
        return False
    return True
