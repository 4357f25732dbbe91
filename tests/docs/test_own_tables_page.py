"""The page on own tables and its example: what it shows is what runs, and what runs loses nothing."""

import json
import re
import subprocess
import sys

import pytest

import millstream
from millstream import handlers
from millstream.handlers.batching import Batch, BatchMessage
from millstream.handlers.store import ClickHouseTable, DataError, Result, StoreDsn, StoreUnavailable
from millstream.handlers.testing import FakeStore
from millstream.router import KafkaSubscriber, Message
from millstream.router.testing import FakeSubscriber, RecordingPublisher, running
from tests.docs.test_readme import ROOT
from tests.handlers.cli.command_aids import environment, query

PAGE = (ROOT / "docs" / "own-tables.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "ex05_own_table.py"
ROWS = ROOT / "examples" / "ex08_own_rows.py"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WINDOW = "SELECT value FROM system.merge_tree_settings WHERE name = 'non_replicated_deduplication_window'"
SERVICE, TOLD, TEST = BLOCKS[-3:]


@pytest.fixture
def beside_the_example(monkeypatch):
    """Import from the folder of the example, as a test beside it does."""
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    yield
    sys.modules.pop("ex05_own_table", None)


def test_what_it_shows_of_the_examples_is_there():
    """Every block but the last three, word for word."""
    text = EXAMPLE.read_text(encoding="utf-8") + ROWS.read_text(encoding="utf-8")

    assert len(BLOCKS) == 11
    assert [block for block in BLOCKS[:-3] if block not in text] == []


def test_its_test_passes(beside_the_example):
    """As it stands, with the example beside it."""
    names = {}
    exec(TEST, names)

    names["test_what_cannot_be_a_row_is_in_the_dlq"]()


def test_its_program_for_kafka_and_a_server_stores_orders(beside_the_example, monkeypatch):
    """With fakes in the place of both, and by the same calls: the types are those that they take."""
    store, subscriber, publisher = FakeStore(), FakeSubscriber(), RecordingPublisher()
    store.answers["DESCRIBE TABLE `default`.`orders`"] = Result(("name",), [("id",), ("customer",), ("cents",)])
    store.answers["SHOW CREATE TABLE `default`.`orders`"] = Result(("statement",), [("CREATE … ENGINE = Memory",)])
    store.answers[WINDOW] = Result(("value",), [("1000",)])
    given = []
    names = {"__name__": "own_service"}
    exec(SERVICE, names)
    monkeypatch.setitem(
        names, "open_store", lambda address, *, wait: given.append((StoreDsn.parse(address), wait)) or store
    )
    monkeypatch.setitem(names, "KafkaSubscriber", lambda config: given.append(KafkaSubscriber(config)) or subscriber)
    monkeypatch.setitem(names, "KafkaPublisher", lambda config: given.append(config) or publisher)

    with running(names["make_service"]()):
        subscriber.subscription.deliver(
            *(order.payload for order in names["make_router"].__globals__["make_orders"](500))
        )
        assert subscriber.subscription.wait_committed(500)

    assert (len(store.rows()), len(publisher.messages("orders-dlq"))) == (495, 5)
    assert store.commands[0].startswith("\nCREATE TABLE IF NOT EXISTS orders")
    assert len(given) == 3
    assert 'if __name__ == "__main__":' in SERVICE


def test_the_end_of_its_program_is_that_of_a_program(beside_the_example, monkeypatch, capsys):
    """As a script: a store that refuses is one line and exit code 2."""
    monkeypatch.setattr(handlers, "open_store", lambda *_, **__: FakeStore())
    monkeypatch.setattr(millstream, "log_to_stderr", lambda: None)

    with pytest.raises(SystemExit) as ended:
        exec(SERVICE, {"__name__": "__main__"})
    assert ended.value.code == 2
    assert capsys.readouterr().err == "no answer is scripted for 'DESCRIBE TABLE `default`.`orders`'\n"


def test_what_comes_behind_the_table_may_fail_and_stores_nothing_twice():
    """Its `process_batch` is called again with the same batch."""
    store, calls = FakeStore(), []

    def tell(items):
        calls.append(items)
        if len(calls) == 1:
            raise ConnectionError

    table = ClickHouseTable(store, database="m", table="t", columns=["id"])
    names = {"Batch": None, "BatchResult": None, "table": table, "line": lambda each: b"{}", "tell": tell}
    exec(TOLD, names)
    batch = Batch([BatchMessage(Message(b""), "item")])
    store.fail_next(StoreUnavailable("away"))
    for error in (StoreUnavailable, ConnectionError):
        with pytest.raises(error):
            names["store_and_tell"](batch)
    result = names["store_and_tell"](batch)

    assert (list(result.done), store.rows(), calls) == ([0], [b"{}"], [["item"]] * 2)


def test_page_is_linked():
    """From the README, and from the page on batching."""
    assert "(docs/own-tables.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "(own-tables.md)" in (ROOT / "docs" / "batching.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_example_stores_good_orders_and_sets_the_others_aside(tmp_path):
    """Run as it stands: what `line` refuses, what the table refuses and what is no order, each with its reason."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        env=environment(),
        check=False,
        text=True,
    )
    lines = done.stdout.splitlines()

    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in lines] == ["10", "10", "1"], lines
    assert "Constraint `has_customer`" in lines[0]
    assert "an order of 0 cents" in lines[1]
    assert "no order: " in lines[2]
    assert query("SELECT count(), uniqExact(id) FROM orders", cwd=tmp_path) == "980\t980"


TAKEN = [
    ({"n": None, "s": None, "at": None}, {"n": 0, "s": "", "at": "1970-01-01 00:00:00.000"}),
    ({"may_lack": None}, {"may_lack": None}),
    ({"nobody": 1}, {"n": 0}),
    ({"n": 300}, {"n": 44}),
    ({"n": True}, {"n": 1}),
    ({"f": "NaN"}, {"f": "nan"}),
    ({"f": "inf"}, {"f": "inf"}),
    ({"d": 1.239}, {"d": "1.23"}),
    ({"at": 1700000000123}, {"at": "9999-12-31 23:59:59.000"}),
    ({"at": "1700000000123"}, {"at": "2023-11-14 22:13:20.123"}),
    ({"day": "2020-13-45"}, {"day": "1970-01-01"}),
    ({"s": {"a": [1]}}, {"s": '{"a": [1]}'}),
    ({"s": True}, {"s": "true"}),
]
"""What a row has, and what is in the table then."""
TYPES = "place UInt8, n UInt8, s String, at DateTime64(3, 'UTC'), f Float64, d Decimal(9, 2), day Date, may_lack Nullable(UInt8)"


def test_clickhouse_takes_what_the_page_says(chdb_store, database):
    """All of it in one INSERT, and nothing is refused; `null` and an unknown value of an enum are, where they should be."""
    chdb_store.command(f"CREATE TABLE `{database}`.`t` ({TYPES}, e Enum8('a' = 1)) ENGINE = Memory")
    columns = [each.split()[0] for each in TYPES.split(", ") if each[0].islower()] + ["e"]

    def store(*rows, **settings):
        table = ClickHouseTable(chdb_store, database=database, table="t", columns=columns, settings=settings)
        batch = Batch(BatchMessage(Message(b""), row) for row in rows)
        return table.store(batch, lambda each: json.dumps(each.item).encode())

    result = store(*({"place": place, **row} for place, (row, _) in enumerate(TAKEN)))
    answer = chdb_store.query(
        f"SELECT n, s, toString(at) AS at, toString(f) AS f, toString(d) AS d, toString(day) AS day, may_lack"
        f" FROM `{database}`.`t` ORDER BY place"
    )
    refused = store({"s": None}, input_format_null_as_default=0), store({"e": "zz"})
    lacking = store({"place": 1}, input_format_null_as_default=0)

    found = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
    assert result.failures == lacking.failures == {}
    assert [{name: row[name] for name in taken} for row, (_, taken) in zip(found, TAKEN, strict=True)] == [
        taken for _, taken in TAKEN
    ]
    assert [type(each.failures[0]) for each in refused] == [DataError, DataError]
