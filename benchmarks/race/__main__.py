"""From one topic into one table, side by side: a loop written by hand, Bento, and the product in several ways.

    make race                                    # a broker and a server of its own; Java and Linux on x86-64
    python -m benchmarks.race [--events 1000000] [--runs 9] [--brokers HOST:PORT] [--store http://HOST:PORT/ | chdb]

The same events lie in one topic of four partitions; each run reads all of it in a process and a group of its own into a new table
as `millstream migrate` makes it, in INSERTs of 50,000 rows at most. Where a row is missing or is there twice, or something is
not committed, the race ends with an error. Timed is the way from the first message to the last row; the runs alternate, and
each ratio is of neighbours. The loop by hand checks nothing and knows no failure: it is what no library can be faster than. Bento
takes part where Go is there to build it.

A whole race (nine runs of every way with a million events) writes `benchmarks/race.json` and draws `benchmarks/race.svg` from it,
a smaller one `trial.json` and `trial.svg` beside them.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.race import bento_program, plot, results
from benchmarks.race.bento_way import batch_rows
from benchmarks.race.report import report
from benchmarks.race.results import Measured, Race, WayResult
from benchmarks.race.running import Course
from benchmarks.race.versions import versions
from benchmarks.race.ways import WAYS, RaceError, Way
from tests.handlers.store.real_clickhouse import OwnClickHouse, RealClickHouse
from tests.router.kafka.real_kafka import OwnKafka, RealKafka

FOLDER = Path(__file__).parents[1]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=results.EVENTS, metavar="N", help="default: %(default)s")
    parser.add_argument("--runs", type=int, default=results.RUNS, metavar="N", help="of each way; default: %(default)s")
    parser.add_argument("--ways", metavar="NAMES", help=f"some of them: {','.join(way.name for way in WAYS)}")
    parser.add_argument("--brokers", metavar="HOST:PORT", help="default: a broker of its own")
    parser.add_argument(
        "--store",
        metavar="URL",
        help="a ClickHouse server, or `chdb` for chDB alone; default: both, with a server of its own",
    )
    options = parser.parse_args(arguments)
    if min(options.events, options.runs) < 1:
        parser.error("--events and --runs have to be at least 1")
    return options


def chosen(options: argparse.Namespace) -> list[Way]:
    """Return the ways that the options ask for.

    Raises:
        RaceError: one is unknown, or none is left.
    """
    names = [way.name for way in WAYS] if options.ways is None else options.ways.split(",")
    if unknown := set(names) - {way.name for way in WAYS}:
        raise RaceError(f"no such way: {', '.join(sorted(unknown))}")
    found = [way for way in WAYS if way.name in names and (options.store != "chdb" or way.target == "chdb")]
    if not found:
        raise RaceError("none of these ways goes into chDB")
    return found


def find_bento(ways: list[Way], events: int) -> Path | None:
    """Return Bento's program if it takes part; where it cannot be had say so in one line, and leave it out of *ways*.

    Raises:
        RaceError: it would take part, but not with so many events.
    """
    bento = next((way for way in ways if way.name == "bento"), None)
    if bento is None:
        return None
    batch_rows(events)
    try:
        return bento_program.build()
    except RaceError as error:
        print(f"without Bento: {error}", file=sys.stderr)
        ways.remove(bento)
        return None


@contextlib.contextmanager
def opened(options: argparse.Namespace, ways: list[Way], bento: Path | None) -> Iterator[Course]:
    """Start, or find, what is raced on."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        kafka = RealKafka(options.brokers) if options.brokers else OwnKafka(folder / "kafka")
        stack.callback(kafka.close)
        server: RealClickHouse | None = None
        if options.store and options.store != "chdb":
            server = RealClickHouse(options.store)
        elif any(way.target == "server" for way in ways):
            (folder / "clickhouse").mkdir()
            server = own = OwnClickHouse(folder / "clickhouse")
            stack.callback(own.close)
        yield Course(kafka, server, folder, bento, options.events)


def race(course: Course, ways: list[Way], runs: int) -> Race:
    """Run every way once, then every way again, and so on."""
    told: dict[str, list[Measured]] = {way.name: [] for way in ways}
    for number in range(runs):
        for way in ways:
            told[way.name].append(course.run(way))
            print(f"run {number + 1} of {runs}: {way.label} {told[way.name][-1].seconds:.1f} s", file=sys.stderr)
    with_chdb = any(way.target == "chdb" for way in ways)
    found = versions(course, with_chdb=with_chdb)
    each = [WayResult(way.name, way.label, way.target, course.topic(way).events, told[way.name]) for way in ways]
    return Race(found, os.cpu_count() or 1, course.events, each)


def main() -> None:
    """Run the race."""
    options = parse()
    try:
        ways = chosen(options)
        bento = find_bento(ways, options.events)
        with opened(options, ways, bento) as course:
            result = race(course, ways, options.runs)
    except RaceError as error:
        sys.exit(f"race: {error}")
    print(report(result))
    path = FOLDER / ("race.json" if result.is_worth_publishing else "trial.json")
    results.write(result, path)
    plot.draw_beside(path)
    print(f"\n{path.name} and {path.with_suffix('.svg').name} are written")


if __name__ == "__main__":
    main()
