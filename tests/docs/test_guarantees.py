"""The page of promises: each names a test that exists, and each mutant has its row."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "guarantees.md"
ROW = re.compile(r"^\| (?P<promise>.+?) \| (?P<tests>`.+?`(?:<br>`.+?`)*) \| (?P<mutant>yes|-) \|$", re.MULTILINE)


def rows():
    """Return promise, tests and whether a mutant is said to exist, of each row."""
    found = ROW.finditer(PAGE.read_text(encoding="utf-8"))
    return [(row["promise"], re.findall(r"`(.+?)`", row["tests"]), row["mutant"] == "yes") for row in found]


def mutants():
    """Return the guarantee and the tests of each mutant of the library, without the cases of parametrized tests."""
    tables = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text(encoding="utf-8"))["mutant"]
    for table in tables:
        if not table["file"].startswith("scripts/"):
            tests = [table["test"]] if isinstance(table["test"], str) else table["test"]
            yield (
                table["guard"],
                list(dict.fromkeys(re.sub(r"\[.*", "", test).removeprefix("tests/") for test in tests)),
            )


def test_every_line_of_a_table_is_a_row():
    """One that is written otherwise would not be looked at."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    heads = [line for line in lines if line == "| promise | test | mutant |"]

    assert len(lines) - len(heads) == len(rows()) > 150
    assert len({promise for promise, _, _ in rows()}) == len(rows())


def is_there(test):
    """Whether *test*, a path and names, exists: by its file, and its names in there or among the cases that a suite inherits."""
    file, *names = test.split("::")
    path = ROOT / "tests" / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if "conformance" in file:
        cases = ROOT / "router" / "testing" / "conformance"
        text += "".join(each.read_text(encoding="utf-8") for each in cases.glob("*.py"))
    return bool(text) and all(re.search(rf"(?:def|class) {name}\b", text) for name in names)


@pytest.mark.static
def test_every_test_that_it_names_exists():
    """A name that has changed is found here; so is one that never was."""
    assert [test for _, tests, _ in rows() for test in tests if not is_there(test)] == []
    assert not is_there("docs/test_guarantees.py::test_that_is_none")


def test_every_mutant_of_the_library_has_its_row():
    """Word for word, with its tests; and no row says that there is one where there is none."""
    shown = {promise.replace("\\|", "|"): tests for promise, tests, is_mutant in rows() if is_mutant}

    assert shown == dict(mutants())


def test_page_is_linked():
    """From the README and from the page on Kafka."""
    assert "(docs/guarantees.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(guarantees.md)" in (ROOT / "docs" / "kafka.md").read_text(encoding="utf-8")
