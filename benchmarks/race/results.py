"""What a race has measured, as it is kept in JSON, and what follows from it."""

import statistics
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.race.ways import MEASURES, PAIRS, WAYS, Target

RUNS, EVENTS = 9, 1_000_000
"""What is worth publishing; a race with less is a trial."""


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run, from the first message to the last row: *seconds*, and *cpu_seconds* of the process in that time.

    *resident* are its bytes in memory when a fifth of the rows was there, and at the end; `None` where nobody looked.
    """

    seconds: float
    cpu_seconds: float
    resident: tuple[int, int] | None = None


class WayResult(msgspec.Struct, frozen=True):
    """All runs of one way, of so many *events* each, in the order in which they were run."""

    name: str
    label: str
    target: Target
    events: int
    runs: list[Measured]

    @property
    def rates(self) -> list[float]:
        """Rows a second of each run."""
        return [self.events / run.seconds for run in self.runs]

    @property
    def is_product(self) -> bool:
        """Whether Millstream runs it."""
        return self.name not in {"bento", *MEASURES.values()}

    @property
    def cpu_per_million(self) -> float:
        """CPU seconds of the process for a million events; the median, and an extrapolation where a run had fewer."""
        return statistics.median(run.cpu_seconds for run in self.runs) / self.events * 1_000_000


class Race(msgspec.Struct, frozen=True):
    """A whole race: *versions* of what took part, the *cores* of the machine, and a result for each way."""

    versions: dict[str, str]
    cores: int
    events: int
    ways: list[WayResult]

    def way(self, name: str) -> WayResult | None:
        """Return the result of the way *name*; `None`: it did not take part."""
        return next((way for way in self.ways if way.name == name), None)

    def of_loop(self, way: WayResult) -> "Spread | None":
        """Return the rate of *way* as a share of what the loop by hand reached beside it."""
        loop = self.way(MEASURES[way.target])
        return None if loop is None else ratio(way, loop)

    def pairs(self) -> "list[tuple[WayResult, WayResult, Spread]]":
        """Return those of `PAIRS` that both took part, with the first's rate as a share of the second's."""
        found = [(self.way(first), self.way(second)) for first, second in PAIRS]
        return [(one, other, ratio(one, other)) for one, other in found if one is not None and other is not None]

    @property
    def is_worth_publishing(self) -> bool:
        """Whether every way has run often enough, with enough events."""
        is_whole = [way.name for way in self.ways] == [way.name for way in WAYS]
        return is_whole and self.events >= EVENTS and all(len(way.runs) >= RUNS for way in self.ways)


class Spread(msgspec.Struct, frozen=True):
    """Median, lowest and highest of some numbers."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> "Spread":
        """Return that of *numbers*, at least one."""
        return cls(statistics.median(numbers), min(numbers), max(numbers))


def ratio(way: WayResult, other: WayResult) -> Spread:
    """Return the rates of *way* as shares of those of *other*, run by run: neighbours had the same machine."""
    return Spread.of([one / another for one, another in zip(way.rates, other.rates, strict=True)])


def read(path: Path) -> Race:
    """Return what `write` has written."""
    return msgspec.json.decode(path.read_bytes(), type=Race)


def write(race: Race, path: Path) -> None:
    """Write *race* as JSON for people."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(race), indent=1) + b"\n")
