"""The page of examples/: it names every program in its order, with its command, and a test runs each of them."""

import re
from pathlib import Path

import pytest

from tests.guards.sources import ROOT

FOLDER = ROOT / "examples"
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| \[(\S+)\]\(\1\) \| .+? \| `(.+?)` \| .+? \|$", PAGE, re.MULTILINE)
RUN_BY = {
    "ex01_first_program.py": "test_readme.py::test_the_first_program_runs_as_written",
    "ex02_own_handler.py": "test_examples_own.py::test_the_handlers_run_until_they_are_interrupted",
    "ex03_own_middleware.py": "test_examples_own.py::test_the_middleware_leaves_out_what_it_should",
    "ex04_own_process_batch.py": "test_examples_own.py::test_the_batches_are_files_with_every_reading_once",
    "ex05_own_table.py": "test_own_tables_page.py::test_the_example_stores_good_orders_and_sets_the_others_aside",
    "ex06_kafka_to_clickhouse.py": "test_example_kafka.py::test_the_kafka_example_stores_every_event_and_sets_the_bad_one_aside",
    "ex07_whole_service.py": "test_example_service.py::test_the_service_stores_events_and_answers_signups",
    "ex08_own_rows.py": "test_examples_own.py::test_the_rows_are_in_their_tables_and_what_is_wrong_is_named",
    "ex09_mending.py": "test_repair_page.py::test_the_example_mends_what_the_producer_sends_and_nothing_else",
    "find_event.py": "test_where_page.py::test_the_search_says_in_one_line_why_it_cannot_look",
}
"""The test of each; more of them stand beside it."""


def programs() -> list[str]:
    """Return the programs of the folder in order; a test of one is none."""
    return sorted(path.name for path in FOLDER.glob("*.py") if not path.name.startswith("test_"))


def test_the_page_lists_every_program_in_the_order_of_the_numbers() -> None:
    """Expect no program beside the table, and no row without its program."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| [")]

    assert [name for name, _ in ROWS] == programs()
    assert len(rows) == len(ROWS)


def test_the_numbers_have_no_gap() -> None:
    """Expect the lessons to be numbered from 1 on, and importable by an import statement."""
    lessons = [name for name in programs() if name != "find_event.py"]

    assert [re.match(r"ex(\d\d)_", name)[1] for name in lessons] == [f"{n:02}" for n in range(1, len(lessons) + 1)]
    assert all(Path(name).stem.isidentifier() for name in programs())


def test_every_program_is_run_by_a_test() -> None:
    """Expect the table of tests to be that of the programs, and each test to be there and to name what it runs."""
    texts = {name: (ROOT / "tests" / "docs" / test.split("::")[0]).read_text() for name, test in RUN_BY.items()}

    assert list(RUN_BY) == programs()
    assert [name for name, text in texts.items() if f'"{name}"' not in text] == []
    assert [test for name, test in RUN_BY.items() if f"def {test.split('::')[1]}(" not in texts[name]] == []


@pytest.mark.parametrize(("name", "command"), ROWS)
def test_the_command_of_the_page_is_that_at_the_head_of_the_file(name: str, command: str) -> None:
    """Expect both to say the same way to run it."""
    head = (FOLDER / name).read_text(encoding="utf-8").split('"""')[1]

    assert re.search(rf"^    {re.escape(command)}(?: .*)?$", head, re.MULTILINE)


def test_a_test_beside_a_program_is_linked() -> None:
    """Expect whoever reads of a program to find its test as well."""
    tests = [path.name for path in FOLDER.glob("test_*.py")]

    assert tests
    assert [name for name in tests if f"]({name})" not in PAGE] == []


def test_page_is_linked() -> None:
    """Expect the README to lead to it."""
    assert "(examples/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
