"""What follows from the runs of a race, and what is said of it."""

from pathlib import Path

import msgspec
import pytest

from benchmarks.race import results
from benchmarks.race.report import ratio_text, report
from benchmarks.race.results import Race, Spread
from benchmarks.race.ways import MEASURES, PAIRS, WAYS
from tests.benchmarks.race_aids import SMALL, make_race


def of_loop(race: Race, name: str) -> Spread | None:
    """Return what the way *name* reached of the loop by hand."""
    way = race.way(name)
    assert way is not None
    return race.of_loop(way)


def test_a_ratio_is_of_runs_beside_each_other() -> None:
    """Expect the second runs, in which all were slow, to be compared with each other."""
    assert of_loop(SMALL, "product") == Spread(0.5, 0.5, 1.0)
    assert of_loop(SMALL, "bento") == Spread(0.5, 0.5, 1.0)
    assert of_loop(SMALL, "raw") == Spread(1.0, 1.0, 1.0)


def test_what_goes_into_chdb_is_compared_with_the_loop_into_chdb() -> None:
    """Expect another store to have a measure of its own."""
    assert of_loop(SMALL, "chdb-product") == Spread(0.5, 0.25, 1.0)


def test_without_the_loop_there_is_no_ratio_to_it() -> None:
    """Expect a race of two ways to do without."""
    assert of_loop(make_race({"product": [1.0]}), "product") is None


def test_fewer_events_are_extrapolated_to_a_million() -> None:
    """Expect the CPU time of a million from half a second for a thousand, the median."""
    way = SMALL.way("raw")

    assert way is not None
    assert way.cpu_per_million == pytest.approx(500.0)


def test_pairs_are_of_those_who_took_part() -> None:
    """Expect the product beside Bento, and nothing of a way that was not run."""
    assert [(one.name, other.name, spread) for one, other, spread in SMALL.pairs()] == [
        ("product", "bento", Spread(1.0, 0.5, 2.0))
    ]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Expect the same race back, from JSON that names no place and no time of day."""
    path = tmp_path / "race.json"
    results.write(SMALL, path)

    assert results.read(path) == SMALL
    assert set(msgspec.json.decode(path.read_bytes())) == {"versions", "cores", "events", "ways"}


def test_only_a_whole_race_is_worth_publishing() -> None:
    """Expect eight runs, half the events, or one way less to be a trial."""
    whole = {way.name: [1.0] * 9 for way in WAYS}
    short = {**whole, "bad": [1.0] * 8}
    partial = {name: runs for name, runs in whole.items() if name != "bento"}

    assert make_race(whole, events=1_000_000).is_worth_publishing
    assert not make_race(whole, events=500_000).is_worth_publishing
    assert not make_race(short, events=1_000_000).is_worth_publishing
    assert not make_race(partial, events=1_000_000).is_worth_publishing


def test_the_table_has_a_line_for_each_way() -> None:
    """Expect medians, spreads, ratios and the number of runs, in columns."""
    lines = report(SMALL).splitlines()

    assert " ".join(lines[3].split()) == "product 500 250 to 1,000 1,000.00 0.50 (0.50 to 1.00) 3"
    assert len({len(line) for line in lines[:6]}) == 1
    assert "product / Bento: 1.00 (0.50 to 2.00)" in lines


def test_a_way_with_fewer_events_is_said_to_have_had_them() -> None:
    """Expect the reader to learn what was extrapolated, and nothing of the others."""
    race = make_race({"raw": [1.0], "unbatched": [1.0]})
    few = msgspec.structs.replace(race, ways=[race.ways[0], msgspec.structs.replace(race.ways[1], events=20)])

    assert "without batching: 20 events a run, not 1,000; what is said of a million is extrapolated." in report(few)
    assert "extrapolated" not in report(race)


@pytest.mark.parametrize(
    ("spread", "text"),
    [
        (Spread(0.914, 0.8, 1.05), "0.91 (0.80 to 1.05)"),
        (Spread(1674.3, 1458.6, 1889.1), "1,674 (1,459 to 1,889)"),
        (Spread(1.0, 1.0, 1.0), "1"),
        (Spread(0.000412, 0.0004, 0.00051), "0.0004 (0.0004 to 0.0005)"),
    ],
)
def test_a_ratio_has_the_digits_that_say_something(spread: Spread, text: str) -> None:
    """Expect two decimals near one, none for thousands, four where two would be zero, and one for the measure itself."""
    assert ratio_text(spread) == text


def test_measures_and_pairs_are_ways() -> None:
    """Expect no comparison with a way that does not exist."""
    assert {*MEASURES.values(), *(name for pair in PAIRS for name in pair)} <= {way.name for way in WAYS}
