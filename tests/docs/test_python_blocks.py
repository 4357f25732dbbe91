"""Every python block of the README and of docs/ is run by some test: here, or by that of its page."""

import msgspec
import pytest

from millstream.handlers import BatchConfig, Budget, MessageBatcher
from millstream.router import Message, PoisonFile, Router
from millstream.router.running.ways import passes_success
from millstream.router.testing import FakeSubscriber, eventually, running
from tests.docs.console import blocks, pages
from tests.handlers.batching.batching_aids import drain
from tests.handlers.events.service_aids import make_service

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
    program, *_ = blocks(PAGES["docs/batching.md"], "python")
    done, subscriber, router = [], FakeSubscriber(in_runs=True), Router()

    def process_batch(batch):
        done.extend(batch.rows.items())

    given = {"BatchConfig": BatchConfig, "MessageBatcher": MessageBatcher, "PoisonFile": PoisonFile, "msgspec": msgspec}
    names = {**given, "process_batch": process_batch, "router": router, "subscriber": subscriber, "Order": int}
    exec(program, names)
    with running(router):
        subscriber.subscription.deliver(b"1", b"odd", b"3")
        assert eventually(lambda: names["batcher"].pending == 2)

    assert subscriber.subscription.committed() == 3
    assert done == [1, 3]
    assert b"it cannot be decoded" in (tmp_path / "refused.ndjson").read_bytes()


def test_the_middleware_that_lets_good_messages_pass_by_counts_the_others():
    """It says so, and is called for a message that fails."""
    *_, program = blocks(PAGES["docs/batching.md"], "python")
    names = {}
    exec(program, names)
    middleware = names["CountFailures"]()

    with pytest.raises(ZeroDivisionError):
        middleware(lambda message: 1 // 0)(Message(b""))
    assert middleware(lambda message: None)(Message(b"")) is None
    assert middleware.count == 1
    assert passes_success(middleware)


def test_batchers_share_a_budget_and_a_service_tells_of_its_lanes(capsys):
    """Both have the one that they were given, and a lane that has started is told of by its handler."""
    _, budgets, statistics, _ = blocks(PAGES["docs/batching.md"], "python")
    names = {"BatchConfig": BatchConfig, "Budget": Budget, "MessageBatcher": MessageBatcher, "process_batch": print}
    exec(budgets, names)
    before = names["budget"].free
    for each in (names["orders"], names["returns"]):
        each.start()
        assert drain(each)
    service = make_service()
    service.message_batcher.start()
    exec(statistics, {"service": service})
    assert drain(service.message_batcher)

    assert (before, names["budget"].free) == (64 * 2**20, 48 * 2**20)
    assert capsys.readouterr().out == "event_consumption_handler idle 0 0.0 {}\n"


def test_no_block_is_left_out():
    """A new one needs a test."""
    found = {name: len(blocks(page, "python")) for name, page in PAGES.items()}

    assert {name: count for name, count in found.items() if count} == {
        **ELSEWHERE,
        "docs/batching.md": 4,
        "docs/events.md": 1,
    }
