"""A long backlog beside two short ones."""

import pytest

from benchmarks.race.long import Round, parse, report
from benchmarks.race.results import Measured

SHORT = Measured(2.0, 1.0, (50, 60))


def make_round(seconds: float, resident: tuple[int, int] | None = (100, 110)) -> Round:
    """Return a round whose long run, of ten times as many events, took so long, half of it on the processor."""
    return Round(SHORT, Measured(seconds, seconds / 2, resident), Measured(4.0, 2.0), 10)


def test_a_long_run_is_compared_with_both_neighbours() -> None:
    """Thirty seconds for what they need thirty for, by their mean, is as fast."""
    assert make_round(30.0).ratio == 1.0
    assert make_round(60.0).ratio == 0.5


def test_memory_is_compared_with_that_after_a_fifth() -> None:
    """And nothing is said of a run at which nobody looked."""
    assert make_round(30.0).growth == 1.1
    assert make_round(30.0, None).growth is None


def test_the_report_has_medians_with_their_spread() -> None:
    """Rates, CPU time and memory; of short runs those before and behind the long ones."""
    mega = 1024 * 1024
    rounds = [make_round(seconds, (100 * mega, 110 * mega)) for seconds in (30.0, 60.0, 40.0)]

    assert report(rounds, 1_000_000).splitlines() == [
        "1,000,000 events: 375,000 rows/s (250,000 to 500,000), CPU s/million 1.50 (1.00 to 2.00)",
        "10,000,000 events: 250,000 rows/s (166,667 to 333,333), CPU s/million 2.00 (1.50 to 3.00)",
        "long / short: 0.75 (0.50 to 1.00)",
        "memory at the end: 110 MB (110 to 110)",
        "memory at the end / after a fifth: 1.10 (1.10 to 1.10)",
    ]


def test_without_memory_the_report_is_silent_about_it() -> None:
    """The loop by hand does not look."""
    assert "memory" not in report([make_round(30.0, None)], 1_000_000)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--events", "0"], "at least 1"),
        (["--times", "0"], "at least 1"),
        (["--runs", "0"], "at least 1"),
        (["--store", "chdb"], "a ClickHouse server"),
    ],
)
def test_what_gives_no_ratio_is_refused(arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It needs a run, and a table on a server."""
    with pytest.raises(SystemExit):
        parse(arguments)

    assert reason in capsys.readouterr().err
