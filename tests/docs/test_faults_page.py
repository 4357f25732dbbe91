"""The page of faults: each has what happens and tests that exist."""

import re
from pathlib import Path

import pytest

from tests.docs.test_guarantees import is_there

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| (?P<number>\d+) \| (?P<fault>[^|]+) \| (?P<happens>[^|]+) \| (?P<tests>`[^`]+`(?:<br>`[^`]+`)*) \|$",
    re.MULTILINE,
)
HEAD = "| no. | fault | what happens | tests |"
FAULTS = 44


def rows():
    """Return number and tests of each row."""
    return [(int(row["number"]), re.findall(r"`(.+?)`", row["tests"])) for row in ROW.finditer(PAGE)]


def test_every_fault_has_one_row():
    """None is left out and none is there twice; a line that is written otherwise would not be looked at."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and line != HEAD]

    assert sorted(number for number, _ in rows()) == list(range(1, FAULTS + 1))
    assert len(lines) == FAULTS


@pytest.mark.static
def test_every_test_that_it_names_exists():
    """A name that has changed is found here; so is one that never was."""
    assert [test for _, tests in rows() for test in tests if not is_there(test)] == []


def test_no_row_names_a_test_twice():
    """It would look like more than it is."""
    assert [number for number, tests in rows() if len(set(tests)) < len(tests)] == []


@pytest.mark.parametrize(
    ("page", "link"),
    [("README.md", "(docs/faults.md)"), ("docs/guarantees.md", "(faults.md)"), ("docs/kafka.md", "(faults.md)")],
)
def test_page_is_linked(page, link):
    """Whoever asks what is promised finds what happens when things go wrong."""
    assert link in (ROOT / page).read_text(encoding="utf-8")
