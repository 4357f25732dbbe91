"""The poison sink that needs nothing but a disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

import msgspec

from ..delivery.message import Message
from ..errors import ConfigurationError
from .record import describe


class PoisonFile:
    """Append poisoned messages to the file *path* as NDJSON, one record a line, on the disk before they count as settled.

    The file is made with mode 0600 at the first record: payloads may be confidential.

    Args:
        path: where to write.
        replace: start anew, replacing an older file, at the first record.
        record: turns a message into its record; by default `describe`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     poison = PoisonFile(f"{folder}/poison.ndjson")
        ...     poison.write([Message(b"no event", uuid="1", metadata={"reason_poisoned": "malformed JSON"})])
        ...     poison.close()
        ...     print(poison.path.read_text(), end="")
        {"uuid":"1","metadata":{"reason_poisoned":"malformed JSON"},"payload":"no event"}
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        record: Callable[[Message], Mapping[str, Any]] = describe,
    ) -> None:
        self.path = Path(path)
        self._replace = replace
        self._record = record
        self._file: FileIO | None = None

    def look_ahead(self) -> None:
        """Raise ConfigurationError where the file could not be made: there is no such folder, or a folder is in its place."""
        if self.path.is_dir():
            raise ConfigurationError(f"{self.path} is a folder: name a file")
        if not self.path.parent.is_dir():
            raise ConfigurationError(f"there is no folder {self.path.parent}: create it")

    def write(self, messages: Sequence[Message]) -> None:
        """Append the records, flushed to the disk."""
        block = b"".join(msgspec.json.encode(self._record(message)) + b"\n" for message in messages)
        file = self._open()
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            _write_all(file, block)
            return
        end = os.fstat(file.fileno()).st_size
        try:
            _write_all(file, block)
            os.fsync(file.fileno())
        except OSError:
            os.ftruncate(file.fileno(), end)  # half a line would spoil the whole file for whoever reads it
            raise

    def _open(self) -> FileIO:
        if self._file is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if self._replace else 0)
            descriptor = os.open(self.path, flags, 0o600)
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.fchmod(descriptor, 0o600)  # an older file may have been more open
            self._file = FileIO(descriptor, "wb")
        return self._file

    @property
    def is_used(self) -> bool:
        """Whether anything was written."""
        return self._file is not None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __repr__(self) -> str:
        return f"PoisonFile({str(self.path)!r})"


def _write_all(file: FileIO, block: bytes) -> None:
    """Write the whole *block*: on a disk that fills up, a write takes what fits and reports no error."""
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) or 0 :]
