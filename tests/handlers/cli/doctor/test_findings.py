"""What the lines of `doctor` come to: their shape, the exit code, and that one failure hides no other."""

import pytest

from millstream.handlers.cli.doctor.findings import (
    Finding,
    Level,
    attempt,
    attempt_all,
    exit_code,
    failure,
    ok,
    skipped,
    warning,
)
from millstream.handlers.store import QueryError, StoreUnavailable


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([Level.OK, Level.SKIPPED], 0, id="all well"),
        pytest.param([Level.OK, Level.WARNING], 0, id="a warning ends nothing"),
        pytest.param([Level.WARNING, Level.FAILURE, Level.OK], 2, id="a failure"),
        pytest.param([Level.WARNING, Level.UNSEEN], 5, id="a probe that was not seen"),
        pytest.param([Level.FAILURE, Level.UNSEEN], 2, id="a failure besides"),
    ],
)
def test_the_exit_code_is_that_of_the_worst(levels: list[Level], code: int) -> None:
    """Expect 2 for any failure, 5 where only the probe is late, else 0."""
    assert exit_code(levels) == code


def test_each_finding_is_one_line() -> None:
    """Expect what an answer has of line breaks, and of what a terminal would obey, to be gone."""
    lines = [ok("a", "b").line, warning("a", "two\n lines").line, failure("\x1b[2Ja", "b").line, skipped("a", "b").line]

    assert lines == ["ok   a: b", "warn a: two lines", "FAIL \N{REPLACEMENT CHARACTER}[2Ja: b", "skip a: b"]


def refuse(error: Exception) -> list[Finding]:
    """Be a check that cannot look."""
    raise error


def test_a_check_that_cannot_look_is_a_failure_of_its_subject() -> None:
    """Expect its error in the line, and whoever comes behind it to go on."""
    assert list(attempt("table", lambda: refuse(QueryError("no")))) == [failure("table", "no")]


def test_a_refusal_keeps_no_other_check_from_being_made() -> None:
    """Expect the second check to be made although the first could not look."""
    found = attempt_all([("a", lambda: refuse(QueryError("no"))), ("b", lambda: [ok("b", "well")])])

    assert list(found) == [failure("a", "no"), ok("b", "well")]


def test_a_server_that_does_not_answer_is_not_asked_again() -> None:
    """Expect the rest to be left out, in one line: each of them would wait for as long."""
    found = attempt_all([("a", lambda: refuse(StoreUnavailable("gone"))), ("b", list), ("c", list), ("c", list)])

    assert [each.line for each in found] == ["FAIL a: gone", "skip b, c: not looked at, as the store does not answer"]
