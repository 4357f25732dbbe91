"""The programs of docs/testing.md are tests that pass, as they stand."""

import re

import pytest

from millstream.router import testing
from tests.docs.console import blocks, pages

PAGE = pages()["docs/testing.md"]
PROGRAMS = {re.search(r"def (test_\w+)", text)[1]: text for text in blocks(PAGE, "python")}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_passes(name):
    """By itself: it imports whatever it uses."""
    names = {}
    exec(PROGRAMS[name], names)

    names[name]()


def test_every_program_of_the_page_is_one_test():
    """None is left out for having no test, or for having the name of another."""
    assert len(PROGRAMS) == PAGE.count("```python") == PAGE.count("def test_") >= 9


def test_every_aid_that_most_tests_need_is_on_the_page():
    """Whoever looks for one finds it used, or named."""
    inner = {"ConformanceError", "FakePartition", "FakeSubscription", "FakeWorker", "Features", "eventually"}

    assert [name for name in testing.__all__ if name not in inner and name not in PAGE] == []


def test_page_is_linked():
    """From the README."""
    assert "(docs/testing.md)" in pages()["README.md"]
