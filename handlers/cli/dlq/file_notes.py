"""Which records of a poison file were replayed: a file beside it, with a line for each.

A line says where the record begins, with a hash of it: a file that was written anew is not taken for the old one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from millstream.router import ConfigurationError

HASH_CHARACTERS = 16
"""64 bits: it only tells a record from another one at the same place."""


def hash_of(line: bytes) -> str:
    """Return what tells the record *line* from another one at its place."""
    return hashlib.sha256(line).hexdigest()[:HASH_CHARACTERS]


def read_notes(path: Path) -> dict[int, str]:
    """Return what was noted in *path*: the hash by the place. A line that was cut by a crash is none."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").split("\n")
    except FileNotFoundError:
        return {}
    words = [line.split(" ") for line in lines]
    return {
        int(place): digest
        for place, digest in (each for each in words if len(each) == 2)
        if place.isdecimal() and len(digest) == HASH_CHARACTERS
    }


def add_notes(path: Path, notes: Mapping[int, str]) -> None:
    """Append *notes* to *path*, on the disk when it returns.

    Raises:
        ConfigurationError: it cannot be written.
    """
    text = "".join(f"{place} {digest}\n" for place, digest in notes.items())
    try:
        with path.open("ab") as file:
            # Behind half a line of a crash, the first would be part of it.
            file.write(f"\n{text}".encode() if file.tell() else text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigurationError(
            f"cannot note in {path} what was sent: {error.strerror}; the next replay sends {len(notes)} messages again"
        ) from None
