"""What `--reload` watches: the source files below a folder and the settings file, by their times and sizes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

Look = Mapping[Path, tuple[int, int]]
"""Time of the last change in nanoseconds and size in bytes, by file."""


def look(folder: Path | None, files: Sequence[Path]) -> Look:
    """Return what is there now: every `.py` file below *folder*, and those of *files* that exist.

    Folders of what was installed or made are passed over: hidden ones, `__pycache__`, `node_modules`, virtual environments.
    """
    sources = [] if folder is None else _sources(folder)
    return {path: found for path in (*sources, *files) if (found := _state(path)) is not None}


def _sources(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not _is_passed_over(Path(here, name))]
        yield from (Path(here, name) for name in names if name.endswith(".py"))


def _is_passed_over(folder: Path) -> bool:
    is_made = folder.name.startswith(".") or folder.name in {"__pycache__", "node_modules"}
    return is_made or (folder / "pyvenv.cfg").exists()


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:  # gone, or not there yet
        return None
    return found.st_mtime_ns, found.st_size


class Changes:
    """Tells when files have changed and are quiet again: an editor, or a checkout, writes several, one after the other.

    Args:
        first: what was there when whatever uses the files began.
    """

    def __init__(self, first: Look) -> None:
        self._used = first
        self._last = first

    def see(self, now: Look) -> list[Path]:
        """Return what differs from what is used, once a look finds the same as the one before; then that is what is used."""
        is_quiet, self._last = now == self._last, now
        if not is_quiet or now == self._used:
            return []
        used, self._used = self._used, now
        return sorted(path for path in {*used, *now} if used.get(path) != now.get(path))
