"""Every python block of the README and of docs/ is run by some test: here, or by that of its page."""

import msgspec
import pytest

from millstream.handlers import BatchConfig, MessageBatcher
from millstream.router import Message, PoisonFile, Router
from millstream.router.running.ways import passes_success
from millstream.router.testing import FakeSubscriber
from tests.docs.console import blocks, pages

PAGES = pages()
ELSEWHERE = {"README.md": 1, "docs/kafka.md": 2, "docs/own-tables.md": 11, "docs/testing.md": 9}
"""How many blocks the tests of these pages run: `test_readme`, `test_kafka_page`, `test_own_tables_page`, `test_testing_page`."""


def test_the_program_that_publishes_in_bulk_runs(monkeypatch):
    """With no events to publish: its publisher connects to nobody."""
    monkeypatch.setenv("MILLSTREAM_KAFKA__BROKERS", "localhost:1")
    [program] = blocks(PAGES["docs/events.md"], "python")
    names = {"events": []}
    exec(program, names)

    assert names["settings"].kafka.brokers == ["localhost:1"]


def test_the_two_lines_attach_a_batcher_to_a_topic(monkeypatch, tmp_path):
    """With a function and a type that the reader has; what cannot be decoded is in the file."""
    monkeypatch.chdir(tmp_path)
    [program, _] = blocks(PAGES["docs/batching.md"], "python")
    done, subscriber, router = [], FakeSubscriber(in_runs=True), Router()

    def process_batch(batch):
        done.extend(batch.rows.items())

    given = {"BatchConfig": BatchConfig, "MessageBatcher": MessageBatcher, "PoisonFile": PoisonFile, "msgspec": msgspec}
    exec(program, {**given, "process_batch": process_batch, "router": router, "subscriber": subscriber, "Order": int})
    router.start()
    subscriber.subscription.deliver(b"1", b"odd", b"3")
    router.close()

    assert subscriber.subscription.committed() == 3
    assert done == [1, 3]
    assert b"it cannot be decoded" in (tmp_path / "refused.ndjson").read_bytes()


def test_the_middleware_that_lets_good_messages_pass_by_counts_the_others():
    """It says so, and is called for a message that fails."""
    [_, program] = blocks(PAGES["docs/batching.md"], "python")
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
        "docs/batching.md": 2,
        "docs/events.md": 1,
    }
