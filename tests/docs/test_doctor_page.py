"""What docs/doctor.md says beside its commands, which run in `test_console_blocks`."""

import re

import pytest

from millstream.handlers.cli.doctor import doctor
from millstream.handlers.cli.doctor.clocks import MAX_SECONDS
from millstream.handlers.cli.doctor.findings import ANSWER_SECONDS, Level, exit_code
from millstream.handlers.cli.doctor.versions import CRASH_BEHIND_VIEWS, OLDEST
from millstream.handlers.events.probe import PROBE_TENANT
from tests.docs.console import pages

PAGE = pages()["docs/doctor.md"]
TEXT = " ".join(PAGE.split())


def test_its_numbers_are_those_of_the_code() -> None:
    """Expect limits and defaults as they are."""
    [timeout] = [each.default for each in doctor.params if each.name == "probe_timeout"]

    assert f"Each answer may take {ANSWER_SECONDS:g} s" in TEXT
    assert f"for {timeout:g} s unless `--probe-timeout` says otherwise" in TEXT
    assert f"more than {MAX_SECONDS:g} s apart (`warn`)" in TEXT
    assert f"older than {OLDEST[0]}.{OLDEST[1]}" in TEXT
    assert f"ClickHouse {OLDEST[0]}.{OLDEST[1]} is the oldest" in pages()["docs/clickhouse.md"]
    assert f"`{PROBE_TENANT}`" in pages()["docs/events.md"]
    assert f"WHERE tenant_id = '{PROBE_TENANT}'" in TEXT


def test_the_words_at_the_beginning_of_a_line_are_all_there() -> None:
    """Expect each level in the table, and no other."""
    table = PAGE.partition("| a line begins with |")[2].partition("\n\n")[0]

    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == ["ok", "warn", "FAIL", "skip", "late"]
    assert {each.value for each in Level} == {"ok", "warn", "FAIL", "skip", "late"}


def test_the_exit_codes_are_those_of_the_code() -> None:
    """Expect a row for each."""
    table = PAGE.partition("| exit code |")[2].partition("\n\n")[0]
    codes = {int(exit_code([level])) for level in Level}

    assert {int(each) for each in re.findall(r"^\| (\d) ", table, re.MULTILINE)} == codes


def test_the_bad_versions_are_those_of_the_code() -> None:
    """Expect a row for each branch, with where it begins and ends."""
    rows = re.findall(r"^\| (\d+\.\d+) \| ([\d.]+) \| (.+?) \|$", PAGE, re.MULTILINE)
    text = [".".join(map(str, each)) for fault in CRASH_BEHIND_VIEWS for each in (fault.branch, fault.since)]
    ends = ["none known" if each.fixed is None else ".".join(map(str, each.fixed)) for each in CRASH_BEHIND_VIEWS]

    assert [cell for row in rows for cell in row[:2]] == text
    assert [row[2] for row in rows] == ends


@pytest.mark.parametrize("page", ["README.md", "docs/where-is-my-event.md", "docs/faults.md", "docs/clickhouse.md"])
def test_page_is_linked(page: str) -> None:
    """Expect it from where somebody looks for whom something does not work."""
    assert "doctor.md)" in pages()[page]
