"""Reading the lines of a file or of stdin, compressed or not, in bounded memory."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import select
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import zstandard

from millstream.router import Cancelled, MillstreamError

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
SKIPPABLE_MAGIC = b"\x2a\x4d\x18"
"""What follows the first byte, 0x50 to 0x5F, of a zstd frame without content: pzstd writes one before each other frame."""
PADDING = b"\0"
"""What fills a gzip file up to the end of a block or a tape; no member begins with it."""
LOOK_SECONDS = 0.1
"""How often reading a pipe that is silent looks whether it was called off."""
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
    """A file or stdin (`-`): uncompressed by its ending (.gz, .zst), stdin by its first bytes.

    A file is open only while it is read, so there may be more of them than a process can have open; a pipe is kept open.

    Raises:
        InputError: it cannot be opened.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.read_bytes = 0
        """Bytes as stored that were read so far."""
        self.left_out_from: int | None = None
        """Where, in bytes as stored, something begins that follows the compressed data and is none; it is not read."""
        with _as_input_error(name):
            self._file: io.FileIO | None = _stdin() if name == "-" else _open(name)
            self._status = os.fstat(self._file.fileno())
        self._is_regular = stat.S_ISREG(self._status.st_mode)
        self.size_bytes = self._status.st_size if self._is_regular else None
        """Bytes as stored, `None` where that is not known, such as for a pipe."""
        if self._is_regular and name != "-":
            self._file.close()
            self._file = None

    def is_file_at(self, path: Path) -> bool:
        """Return whether *path* leads to the very file that is read here."""
        try:
            return self._is_regular and os.path.samestat(self._status, path.stat())
        except OSError:
            return False

    def blocks(self, is_stopped: Callable[[], bool]) -> Iterator[bytes]:
        """Yield the uncompressed bytes.

        Raises:
            InputError: the file is damaged or ends early.
            Cancelled: *is_stopped*, asked before each read and while nothing comes, said so.
        """
        with _as_input_error(self.name):
            file = _open(self.name) if self._file is None else self._file
        with file, _as_input_error(self.name):
            try:
                yield from self._uncompressed(file, is_stopped)
            except _NoFrameFollows as found:
                self.left_out_from = self.read_bytes - found.unread_bytes

    def _uncompressed(self, file: io.FileIO, is_stopped: Callable[[], bool]) -> Iterator[bytes]:
        if self.name != "-":
            suffix = Path(self.name).suffix
            size = COMPRESSED_BLOCK_BYTES if suffix in _UNPACK else BLOCK_BYTES
            yield from _UNPACK.get(suffix, iter)(self._reads(file, size, is_stopped))
            return
        # Only now is stdin looked at: its first bytes may be long in coming, and come one by one.
        reads = self._reads(file, COMPRESSED_BLOCK_BYTES, is_stopped)
        head = b""
        while len(head) < len(ZSTD_MAGIC) and (block := next(reads, b"")):
            head += block
        yield from _UNPACK.get(_suffix_of(head), iter)(itertools.chain([head], reads))

    def _reads(self, file: io.FileIO, size: int, is_stopped: Callable[[], bool]) -> Iterator[bytes]:
        while True:
            if is_stopped():
                raise Cancelled
            # A signal does not end a read: Python goes on with it when the handler has returned.
            if not self._is_regular and not select.select([file], [], [], LOOK_SECONDS)[0]:
                continue
            block = file.read(size)
            if block is None:  # somebody made the pipe non-blocking, and another reader was faster
                continue
            if not block:
                return
            self.read_bytes += len(block)
            yield block


@contextlib.contextmanager
def _as_input_error(name: str) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise InputError(name, "ends early: the compressed data is cut off") from error
    except (zlib.error, zstandard.ZstdError) as error:
        raise InputError(name, f"is not what its name says, or damaged: {error}") from error
    except OSError as error:
        raise InputError(name, error.strerror or str(error)) from error


def _open(name: str) -> io.FileIO:
    return Path(name).open("rb", buffering=0)


def _stdin() -> io.FileIO:
    if sys.stdin is None:
        raise InputError("-", "standard input is closed")
    # Unbuffered: what lies in a buffer cannot be waited for.
    return cast("io.FileIO", cast("io.BufferedReader", sys.stdin.buffer).raw)


def _suffix_of(head: bytes) -> str:
    if head.startswith(GZIP_MAGIC):
        return ".gz"
    return ".zst" if len(head) >= len(ZSTD_MAGIC) and _may_begin_zstd(head) else ""


def _may_begin_gzip(head: bytes) -> bool:
    return GZIP_MAGIC.startswith(head[: len(GZIP_MAGIC)])


def _may_begin_zstd(head: bytes) -> bool:
    magic = head[: len(ZSTD_MAGIC)]
    return ZSTD_MAGIC.startswith(magic) or (0x50 <= magic[0] <= 0x5F and SKIPPABLE_MAGIC.startswith(magic[1:]))


class _NoFrameFollows(Exception):
    def __init__(self, unread_bytes: int) -> None:
        self.unread_bytes = unread_bytes


def _gunzip(reads: Iterator[bytes]) -> Iterator[bytes]:
    return _framed_blocks(reads, lambda: zlib.decompressobj(wbits=GZIP_WBITS), _may_begin_gzip, PADDING)


def _unzstd(reads: Iterator[bytes]) -> Iterator[bytes]:
    return _framed_blocks(reads, zstandard.ZstdDecompressor().decompressobj, _may_begin_zstd)


def _framed_blocks(
    reads: Iterator[bytes], new_frame: Callable[[], Any], may_begin: Callable[[bytes], bool], padding: bytes = b""
) -> Iterator[bytes]:
    """Frame by frame: the libraries' own readers drop what precedes a cut, or take it for the end of the file."""
    frame = new_frame()  # even nothing at all, compressed, is a frame
    is_between = False
    head = b""
    for read in reads:
        block, head = head + read, b""
        while block:
            if is_between:
                block = block.lstrip(padding)
                if block and not may_begin(block):
                    raise _NoFrameFollows(len(block))
                if len(block) < len(ZSTD_MAGIC):
                    head = block  # too little to tell
                    break
                frame = new_frame()
            yield frame.decompress(block)
            block = frame.unused_data if frame.eof else b""
            is_between = frame.eof
    if head or not is_between:
        raise EOFError


_UNPACK: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {".gz": _gunzip, ".zst": _unzstd}


def _never() -> bool:
    return False


def read_lines(source: Input, is_stopped: Callable[[], bool] = _never) -> Iterator[list[Line]]:
    """Yield the lines of *source* as they come, a block at a time; the last line may lack its line feed.

    Raises:
        InputError: damaged, or ends early; all complete lines were yielded before.
        Cancelled: *is_stopped* said so, which is asked before each read and while nothing comes.
    """
    number, offset, kept, dropped = 0, 0, b"", 0
    try:
        for block in source.blocks(is_stopped):
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
