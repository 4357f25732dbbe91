"""A table of one's own on a real server: its constraint and its token, and every message a row or a record."""

import contextlib

import pytest

from millstream.handlers.store import ClickHouseTable
from tests.handlers.store.own_table_aids import GOOD, LOCAL, SERVER, consume, line, numbers, numbers_of


@pytest.fixture
def database(real_clickhouse):
    """A database of its own on the server, dropped when the test is over."""
    name = real_clickhouse.create_database()
    yield name
    real_clickhouse.drop_database(name)


def test_a_thousand_rows_of_which_two_hundred_are_refused_are_all_accounted_for(real_clickhouse, database):
    """Eight hundred are stored once, two hundred in the DLQ, and all of them are committed."""
    with contextlib.closing(real_clickhouse.open()) as store:
        store.command(
            f"CREATE TABLE {database}.rows (number UInt32, kind String, CONSTRAINT known CHECK kind != '{SERVER}')"
            " ENGINE = MergeTree ORDER BY number SETTINGS non_replicated_deduplication_window = 1000"
        )
        table = ClickHouseTable(store, database=database, table="rows", columns=["number", "kind"])
        table.prepare()
        kinds = [GOOD] * 1000
        kinds[:400:4] = [LOCAL] * 100
        kinds[400:490] = [SERVER] * 90  # one after the other, which costs fewer INSERTs
        kinds[500::50] = [SERVER] * 10
        poisoned, committed = consume(lambda batch: table.store(batch, line), kinds, batch_size=1000)
        stored = [number for (number,) in store.query(f"SELECT number FROM {database}.rows ORDER BY number").rows]

    assert stored == numbers_of(kinds, GOOD)
    assert numbers(poisoned) == numbers_of(kinds, LOCAL, SERVER)
    assert (len(stored), len(poisoned), committed) == (800, 200, 1000)
