"""Waiting for a probe, and what is said of it."""

import pytest

from millstream.handlers.cli.doctor.findings import Level
from millstream.handlers.cli.doctor.probing import Probe, judge_probe, wait_until
from millstream.handlers.settings.sections import ClickHouseConfig, Settings
from millstream.router.testing import ManualClock


@pytest.mark.parametrize(("answers", "is_seen"), [([True], True), ([False, False, True], True), ([False] * 99, False)])
def test_a_probe_is_looked_for_until_its_time_is_over(answers: list[bool], is_seen: bool) -> None:
    """Expect a look every tenth of a second, and the last one behind the end."""
    clock, left = ManualClock(), list(answers)

    found = wait_until(lambda: left.pop(0), 1.0, clock=clock, pause=clock.advance)

    assert found is is_seen
    assert len(answers) - len(left) <= 12


def test_what_became_of_a_probe_is_told() -> None:
    """Expect its times where it was seen, and else what to look at."""
    seen, late = judge_probe("doctor-1", 0.01, 1.234, 30.0), judge_probe("doctor-1", 0.01, None, 30.0)

    assert seen.line == "ok   probe: doctor-1 visible 1.23 s after it was sent, confirmed after 0.01 s"
    assert late.level is Level.UNSEEN
    assert "not visible 30 s after it was sent: does millstream run run" in late.text


@pytest.mark.parametrize(
    ("dsn", "is_possible", "level"),
    [
        pytest.param("chdb://there-is-none", True, Level.FAILURE, id="an embedded store"),
        pytest.param("http://127.0.0.1:1", False, Level.SKIPPED, id="something is missing"),
    ],
)
def test_a_probe_that_could_not_be_seen_is_not_sent(dsn: str, is_possible: bool, level: Level) -> None:
    """Expect the reason in its place; brokers are not even named here."""
    settings = Settings(clickhouse=ClickHouseConfig(dsn=dsn))
    [found] = Probe(settings, [], 1.0).run(is_possible=is_possible)

    assert found.level is level
