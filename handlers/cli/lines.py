"""Reading the lines of a file or of stdin, compressed or not, in bounded memory."""

from __future__ import annotations

import io
import os
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import zstandard

from millstream.router import MillstreamError

BLOCK_BYTES = 1024 * 1024
"""Read at once; large enough that splitting costs next to nothing per line."""
MAX_LINE_BYTES = 16 * 1024 * 1024
"""What is kept of one line; far above the 1 MiB that an event may have, so that the record of a refused line is whole."""
COMPRESSED_BLOCK_BYTES = 64 * 1024
"""Read at once from a compressed file: what comes out of it may be some hundred times as large."""
GZIP_WBITS = 31
"""What makes zlib read a gzip header and check the trailer."""
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line of the input.

    Args:
        number: counts from 1.
        byte_offset: where it begins, in the uncompressed bytes.
        raw: its bytes without the line feed; only the first 16 MiB of a longer one.
    """

    number: int
    byte_offset: int
    raw: bytes


class InputError(MillstreamError):
    """An input cannot be read, is not what its name says, or ends early.

    Args:
        name: the file, or `-`.
        lines: complete lines that were read before.
    """

    def __init__(self, name: str, reason: str, lines: int = 0) -> None:
        self.name = name
        self.lines = lines
        super().__init__(f"{name}: {reason}")


class Input:
    """A file that is open, or stdin (`-`): uncompressed by its ending (.gz, .zst), stdin by its first bytes.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        try:
            self._file = cast(io.BufferedReader, sys.stdin.buffer) if name == "-" else _open(Path(name))
        except OSError as error:
            raise InputError(name, error.strerror or str(error)) from error
        self.size_bytes = _size(self._file)
        """Bytes as stored, `None` where that is not known, such as for a pipe."""

    @property
    def read_bytes(self) -> int:
        """Bytes as stored that were read so far."""
        if self.size_bytes is None:
            return 0
        try:
            return self._file.tell()
        except ValueError:  # closed, perhaps this very moment by the thread that reads it
            return self.size_bytes

    def blocks(self) -> Iterator[bytes]:
        """Yield the uncompressed bytes. Raises `InputError` where the file is damaged or ends early."""
        try:
            # Only now is stdin looked at: its first bytes may be long in coming.
            suffix = _suffix_of_stdin(self._file) if self.name == "-" else Path(self.name).suffix
            yield from _BLOCKS.get(suffix, _plain_blocks)(self._file)
        except EOFError as error:
            raise InputError(self.name, "ends early: the compressed data is cut off") from error
        except (zlib.error, zstandard.ZstdError) as error:
            raise InputError(self.name, f"is not what its name says, or damaged: {error}") from error
        except OSError as error:
            raise InputError(self.name, error.strerror or str(error)) from error
        finally:
            self._file.close()


def _open(path: Path) -> io.BufferedReader:
    return path.open("rb")


def _suffix_of_stdin(stdin: io.BufferedReader) -> str:
    magic = stdin.peek(len(ZSTD_MAGIC))
    return ".gz" if magic.startswith(GZIP_MAGIC) else ".zst" if magic.startswith(ZSTD_MAGIC) else ""


def _size(file: io.BufferedReader) -> int | None:
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _plain_blocks(file: io.BufferedReader) -> Iterator[bytes]:
    while block := file.read1(BLOCK_BYTES):
        yield block


def _gzip_blocks(file: io.BufferedReader) -> Iterator[bytes]:
    return _framed_blocks(file, lambda: zlib.decompressobj(wbits=GZIP_WBITS))


def _zstd_blocks(file: io.BufferedReader) -> Iterator[bytes]:
    return _framed_blocks(file, zstandard.ZstdDecompressor().decompressobj)


def _framed_blocks(file: io.BufferedReader, new_frame: Callable[[], Any]) -> Iterator[bytes]:
    """Frame by frame: the libraries' own readers drop what precedes a cut, or take it for the end of the file."""
    frame = None
    while block := file.read1(COMPRESSED_BLOCK_BYTES):
        while block:
            frame = new_frame() if frame is None else frame
            yield frame.decompress(block)
            block = frame.unused_data if frame.eof else b""
            frame = None if frame.eof else frame
    if frame is not None:
        raise EOFError


_BLOCKS = {".gz": _gzip_blocks, ".zst": _zstd_blocks}


def read_lines(source: Input) -> Iterator[list[Line]]:
    """Yield the lines of *source* as they come, a block at a time; the last line may lack its line feed.

    Raises:
        InputError: damaged, or ends early; all complete lines were yielded before.
    """
    number, offset, kept, dropped = 0, 0, b"", 0
    try:
        for block in source.blocks():
            head, *rest = block.split(b"\n")
            kept, dropped = _extend(kept, head, dropped)
            lines = []
            for more in rest:
                number += 1
                lines.append(_line(number, offset, kept))
                offset += len(kept) + dropped + 1
                kept, dropped = more, 0
            yield lines
    except InputError as error:
        error.lines = number
        raise
    if kept:
        yield [_line(number + 1, offset, kept)]


def _line(number: int, offset: int, raw: bytes) -> Line:
    if number == 1 and raw.startswith(BYTE_ORDER_MARK):
        return Line(number, offset + len(BYTE_ORDER_MARK), raw[len(BYTE_ORDER_MARK) :])
    return Line(number, offset, raw)


def _extend(kept: bytes, more: bytes, dropped: int) -> tuple[bytes, int]:
    room = MAX_LINE_BYTES - len(kept)
    return kept + more[:room], dropped + max(0, len(more) - room)
