"""The page on own tables and its example: what it shows is what runs, and what runs loses nothing."""

import re
import subprocess
import sys

import pytest

from millstream.handlers.batching import Batch, BatchMessage
from millstream.handlers.store import ClickHouseTable, StoreUnavailable
from millstream.handlers.testing import FakeStore
from millstream.router import Message
from tests.docs.test_readme import ROOT
from tests.handlers.cli.command_aids import environment, query

PAGE = (ROOT / "docs" / "own-tables.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "own_table.py"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TOLD, TEST = BLOCKS[-2:]


@pytest.fixture
def beside_the_example(monkeypatch):
    """Import from the folder of the example, as a test beside it does."""
    monkeypatch.syspath_prepend(EXAMPLE.parent)
    yield
    sys.modules.pop("own_table", None)


def test_what_it_shows_of_the_example_is_there():
    """Every block but the last two, word for word."""
    text = EXAMPLE.read_text(encoding="utf-8")

    assert len(BLOCKS) == 8
    assert [block for block in BLOCKS[:-2] if block not in text] == []


def test_its_test_passes(beside_the_example):
    """As it stands, with the example beside it."""
    names = {}
    exec(TEST, names)

    names["test_what_cannot_be_a_row_is_in_the_dlq"]()


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
