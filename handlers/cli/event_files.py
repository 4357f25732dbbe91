"""What `ingest` and `publish` share: files of events to read, where refused lines go, and the words at the end."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

import click

from millstream.router import ConfigurationError, HaltedError

from .line_poison import LinePoison
from .lines import Input, InputError, Line, read_lines
from .parameter_types import FileName, WholeNumber

P = ParamSpec("P")
R = TypeVar("R")

CHUNK_LINES = 1000
"""Lines handed over at a time."""
STDIN = "-"
REPEAT = "run the same command again, it is safe to repeat"

_PARAMETERS = (
    click.argument("files", nargs=-1, required=True, metavar="FILE…"),
    click.option(
        "--poison",
        type=FileName(),
        help="Where refused lines go.  [default: <FILE>.poison.ndjson, for - stdin.poison.ndjson]",
    ),
    click.option("--max-poison", type=WholeNumber(min=0), help="Halt (exit 4) when more lines than this are refused."),
)


def file_parameters(function: Callable[P, R]) -> Callable[P, R]:
    """Declare on a command what `EventFiles` is made of: it gets `files`, `poison` and `max_poison`."""
    return functools.reduce(lambda wrapped, declare: declare(wrapped), reversed(_PARAMETERS), function)


class EventFiles:
    """The files of one run, read in order, and the poison files beside them.

    Args:
        names: the files; `-` is stdin.
        poison: one file for all refused lines, or `None` for one beside each file.
        max_poison: how many lines may be refused; `None`: any number.

    Raises:
        ConfigurationError: stdin is named twice, a name is empty, or a poison file would overwrite something.
        InputError: a file cannot be opened.
    """

    def __init__(self, names: Sequence[str], poison: Path | None, max_poison: int | None) -> None:
        if names.count(STDIN) > 1:
            raise ConfigurationError(f"{STDIN}: stdin can be read only once")
        if "" in names:
            raise ConfigurationError(f"the name of a file is empty: name one, or {STDIN} for stdin")
        self._sources = [Input(name) for name in names]
        self.sink = LinePoison(self._sources, poison)
        self.max_poison = max_poison
        self.lines = 0
        """Lines that were read so far."""

    def read(self, is_stopped: Callable[[], bool]) -> Iterator[tuple[int, list[Line]]]:
        """Yield the lines of all files as they come, a block at a time, with the place of their file.

        Raises:
            InputError: a file is damaged, or ends early; all complete lines were yielded before.
            Cancelled: *is_stopped* said so, which is asked before each read and while nothing comes.
        """
        for place, source in enumerate(self._sources):
            for lines in read_lines(source, is_stopped):
                self.lines += len(lines)
                yield place, lines

    @property
    def left_out(self) -> list[Input]:
        """The compressed files that end with something else: it is left out, as gzip does, which warns and exits 2 as well."""
        return [source for source in self._sources if source.left_out_from is not None]

    def part_done(self, pending: int) -> float | None:
        """Return the part that is done, 0 to 1, or `None` where the size of a file is not known.

        Args:
            pending: of the lines that were read those whose outcome is not known.
        """
        read = self.part_read()
        return None if read is None else read * (1.0 - pending / max(self.lines, 1))

    def part_read(self) -> float | None:
        """Return the part that was read, 0 to 1, or `None` where the size of a file is not known."""
        sizes = [source.size_bytes for source in self._sources]
        total = sum(size for size in sizes if size is not None)
        if None in sizes or not total:
            return None
        return sum(source.read_bytes for source in self._sources) / total

    def too_many(self, refused: int) -> HaltedError:
        """Return the error for more refused lines than `max_poison`."""
        what = "1 line was" if refused == 1 else f"{refused} lines were"
        return HaltedError(f"{what} refused, more than --max-poison {self.max_poison}")

    def summarize(self, counts: str, events: int, seconds: float, *, is_whole: bool) -> None:
        """Close the poison files and say on stderr what the run came to.

        Args:
            counts: what is counted, in words.
            events: those that are done, for the rate.
            seconds: how long it took.
            is_whole: nothing is left to do: poison files of earlier runs that this one had no use for are removed.
        """
        self.sink.close()
        for path, why in self.sink.remove_stale() if is_whole and not self.left_out else ():
            click.echo(f"millstream: {path} is not of this run and cannot be removed: {why}", err=True)
        used = self.sink.used().items()
        where = "".join(f", set aside in {path}{first and f' ({first})'}" for path, first in used)
        rate = events / max(seconds, 1e-9)
        click.echo(f"{counts} in {seconds:.1f} s ({rate:,.0f} events/s){where}", err=True)
        for source in self.left_out:
            what = f"what follows the compressed data, from byte {source.left_out_from} on, is none and was left out"
            click.echo(f"millstream: {source.name}: {what}; everything before it was read", err=True)


def say_unreadable(error: InputError, known: str = "") -> None:
    """Say on stderr how far a file was read, and what is *known* of that part."""
    how_far = f"read up to line {error.lines}{known}" if error.lines else "no line of it was read"
    click.echo(f"millstream: {error}; {how_far}", err=True)
