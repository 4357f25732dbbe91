"""Where `ingest` sets lines aside: one file per input, replaced by a run that has something to write."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from millstream.router import ConfigurationError, Message, PoisonFile
from millstream.router.poison import REASON, payload_fields

SOURCE, NUMBER, OFFSET = "source", "line", "byte_offset"
"""Metadata that says where a message came from."""


def poison_path(source: str) -> Path:
    """Return the file beside *source* that its refused lines go to; for stdin, one in the current folder."""
    return Path("stdin.poison.ndjson") if source == "-" else Path(f"{source}.poison.ndjson")


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
        ConfigurationError: a poison file would overwrite an input.
    """

    def __init__(self, sources: Sequence[str], path: Path | None) -> None:
        paths = [poison_path(source) if path is None else path for source in sources]
        files = {each: PoisonFile(each, replace=True, record=line_record) for each in dict.fromkeys(paths)}
        self._files = files
        self._by_source = [files[each] for each in paths]
        for source in sources:
            for each in files:
                if source != "-" and each.exists() and Path(source).exists() and each.samefile(source):
                    raise ConfigurationError(f"--poison {each} is an input: it would be overwritten")

    def write(self, messages: Sequence[Message]) -> None:
        """Write the records of *messages*, each into the file of its input."""
        groups: dict[int, list[Message]] = {}
        for message in messages:
            groups.setdefault(int(message.metadata[SOURCE]), []).append(message)
        for source, group in groups.items():
            self._by_source[source].write(group)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def remove_stale(self) -> None:
        """Remove files of earlier runs that this run had nothing to write to: they speak of lines that are stored now."""
        for path, file in self._files.items():
            if not file.is_used and path.exists() and stat.S_ISREG(path.stat().st_mode):
                path.unlink()

    def used(self) -> list[Path]:
        """Return the files that were written."""
        return [path for path, file in self._files.items() if file.is_used]
