"""Every python block of the README and of docs/ is run by some test: here, or by that of its page."""

import pytest

from millstream.router import Message
from millstream.router.running.ways import passes_success
from tests.docs.console import blocks, pages

PAGES = pages()
ELSEWHERE = {"README.md": 1, "docs/kafka.md": 2, "docs/own-tables.md": 9, "docs/testing.md": 9}
"""How many blocks the tests of these pages run: `test_readme`, `test_kafka_page`, `test_own_tables_page`, `test_testing_page`."""


def test_the_program_that_publishes_in_bulk_runs(monkeypatch):
    """With no events to publish: its publisher connects to nobody."""
    monkeypatch.setenv("MILLSTREAM_KAFKA__BROKERS", "localhost:1")
    [program] = blocks(PAGES["docs/events.md"], "python")
    names = {"events": []}
    exec(program, names)

    assert names["settings"].kafka.brokers == ["localhost:1"]


def test_the_middleware_that_lets_good_messages_pass_by_counts_the_others():
    """It says so, and is called for a message that fails."""
    [program] = blocks(PAGES["docs/batching.md"], "python")
    names = {}
    exec(program, names)
    middleware = names["CountFailures"]()

    with pytest.raises(ZeroDivisionError):
        middleware(lambda message: 1 // 0)(Message(b""))
    assert middleware(lambda message: None)(Message(b"")) is None
    assert middleware.count == 1
    assert passes_success(middleware)


def test_no_block_is_left_out():
    """A new one needs a test."""
    found = {name: len(blocks(page, "python")) for name, page in PAGES.items()}

    assert {name: count for name, count in found.items() if count} == {
        **ELSEWHERE,
        "docs/batching.md": 1,
        "docs/events.md": 1,
    }
