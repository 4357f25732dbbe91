"""Whether a long backlog is worked off as fast as a short one, and in the same memory.

    make race-long       # a broker and a server of its own, as `make race`; 4 GB below `$TMPDIR`
    python -m benchmarks.race.long [--events 1000000] [--times 10] [--runs 9] [--way product] [--brokers …] [--store …]

Each round is a run of so many events, one of *times* as many, and one of so many again, each into a new table. The ratio is of
the long run and its two neighbours together, as a machine is faster at one time than at another by more than is measured here.
"""

import argparse
import sys
from collections.abc import Sequence

import msgspec

from benchmarks.race.__main__ import opened
from benchmarks.race.report import ratio_text
from benchmarks.race.results import EVENTS, RUNS, Measured, Spread
from benchmarks.race.running import Course
from benchmarks.race.ways import WAYS, RaceError, Way

MEGABYTE = 1024 * 1024


class Round(msgspec.Struct, frozen=True):
    """A long run of *times* as many events as its neighbours *before* and *after* had."""

    before: Measured
    long: Measured
    after: Measured
    times: int

    @property
    def ratio(self) -> float:
        """The rate of the long run as a share of that of its neighbours."""
        return self.times * (self.before.seconds + self.after.seconds) / 2 / self.long.seconds

    @property
    def growth(self) -> float | None:
        """Memory at the end of the long run as a multiple of that after a fifth of it; `None` where nobody looked."""
        return None if self.long.resident is None else self.long.resident[1] / self.long.resident[0]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=EVENTS, metavar="N", help="of a short run; default: %(default)s")
    parser.add_argument(
        "--times", type=int, default=10, metavar="N", help="of those in a long one; default: %(default)s"
    )
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help="long ones; default: %(default)s")
    names = [way.name for way in WAYS if way.target == "server" and way.events == "all" and way.name != "bento"]
    parser.add_argument("--way", choices=names, default="product", help="default: %(default)s")
    parser.add_argument("--brokers", metavar="HOST:PORT", help="default: a broker of its own")
    parser.add_argument("--store", metavar="URL", help="a ClickHouse server; default: one of its own")
    options = parser.parse_args(arguments)
    if min(options.events, options.times, options.runs) < 1:
        parser.error("--events, --times and --runs have to be at least 1")
    if options.store == "chdb":
        parser.error("--store has to be a ClickHouse server here")
    return options


def report(rounds: Sequence[Round], events: int) -> str:
    """Return medians with their lowest and highest: rates and CPU time of short and long runs, their ratio, and the memory."""
    short = [each for one in rounds for each in (one.before, one.after)]
    long, many = [one.long for one in rounds], events * rounds[0].times
    lines = [_line(short, events), _line(long, many)]
    lines.append(f"long / short: {ratio_text(Spread.of([one.ratio for one in rounds]))}")
    growths = [growth for one in rounds if (growth := one.growth) is not None]
    if growths:
        ends = Spread.of([each.resident[1] / MEGABYTE for each in long if each.resident is not None])
        lines.append(f"memory at the end: {ends.median:.0f} MB ({ends.low:.0f} to {ends.high:.0f})")
        lines.append(f"memory at the end / after a fifth: {ratio_text(Spread.of(growths))}")
    return "\n".join(lines)


def _line(runs: Sequence[Measured], events: int) -> str:
    rate = Spread.of([events / each.seconds for each in runs])
    cpu = Spread.of([each.cpu_seconds / events * 1_000_000 for each in runs])
    rates = f"{rate.median:,.0f} rows/s ({rate.low:,.0f} to {rate.high:,.0f})"
    return f"{events:,} events: {rates}, CPU s/million {cpu.median:.2f} ({cpu.low:.2f} to {cpu.high:.2f})"


def run(course: Course, way: Way, times: int, runs: int) -> list[Round]:
    """Run *way* so often."""
    long = Course(course.kafka, course.server, course.folder, None, course.events * times)
    rounds: list[Round] = []
    for number in range(runs):
        rounds.append(Round(course.run(way), long.run(way), course.run(way), times))
        print(f"round {number + 1} of {runs}: {rounds[-1].ratio:.2f}", file=sys.stderr)
    return rounds


def main() -> None:
    """Run it and print the report."""
    options = parse()
    way = next(way for way in WAYS if way.name == options.way)
    try:
        with opened(options, [way], None) as course:
            rounds = run(course, way, options.times, options.runs)
    except RaceError as error:
        sys.exit(f"race: {error}")
    print(report(rounds, options.events))


if __name__ == "__main__":
    main()
