"""Tables: their names, their columns, their windows."""

import contextlib

import pytest

from millstream.handlers.store import FEEDS_VIEWS, ClickHouseTable, Result, StoreMisconfigured
from millstream.handlers.testing import FakeStore
from millstream.router.errors import ConfigurationError


def test_insert_carries_name_columns_and_settings_of_the_table():
    """Every INSERT names the table in full, its columns, and the table's own settings."""
    store = FakeStore()
    table = ClickHouseTable(store, database="m", table="events", columns=["id", "at"], settings={"max_threads": 1})

    table.plan([b"{}"], "tok").run()

    insert = store.inserts[0]
    assert (insert.table, insert.columns, insert.settings) == ("`m`.`events`", ("id", "at"), {"max_threads": 1})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        pytest.param({"database": "m;"}, "m;", id="database"),
        pytest.param({"table": "a b"}, "a b", id="table"),
        pytest.param({"columns": ["id", "x`"]}, "x`", id="column"),
        pytest.param({"columns": []}, "events", id="no columns"),
        pytest.param({"max_partitions_per_insert": 0}, "max_partitions_per_insert=0", id="no partitions"),
    ],
)
def test_wrong_table_is_refused_by_name(options, named):
    """What cannot stand in SQL, or makes no sense, is a configuration error that names it."""
    with pytest.raises(ConfigurationError, match=named):
        ClickHouseTable(FakeStore(), **{"database": "m", "table": "events", "columns": ["id"], **options})


@pytest.mark.parametrize(
    ("engine", "window"),
    [
        pytest.param("MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 1000", 1000, id="set"),
        pytest.param("ReplacingMergeTree ORDER BY a", 0, id="default is none"),
    ],
)
def test_deduplication_window_is_read_from_the_table(chdb_store, database, engine, window):
    """The table's own setting counts, and the engine's default where it has none."""
    chdb_store.command(f"CREATE TABLE `{database}`.`t` (a String) ENGINE = {engine}")
    table = ClickHouseTable(chdb_store, database=database, table="t", columns=["a"])

    found = table.deduplication_window()

    assert found == window


def test_deduplication_window_of_a_replicated_table_is_the_replicated_one():
    """Replicated tables have a setting of their own, on by default."""
    store = FakeStore()
    create = "CREATE TABLE m.t (a String) ENGINE = ReplicatedMergeTree ORDER BY a"
    store.answers["SHOW CREATE TABLE `m`.`t`"] = Result(columns=("statement",), rows=[(create,)])
    asked = "SELECT value FROM system.merge_tree_settings WHERE name = 'replicated_deduplication_window'"
    store.answers[asked] = Result(columns=("value",), rows=[("10000",)])

    found = ClickHouseTable(store, database="m", table="t", columns=["a"]).deduplication_window()

    assert found == 10_000


def replicated(**settings):
    """A store with a Replicated table whose engine knows *settings*."""
    store = FakeStore()
    create = "CREATE TABLE m.t (a String) ENGINE = ReplicatedMergeTree ORDER BY a"
    store.answers["SHOW CREATE TABLE `m`.`t`"] = Result(columns=("statement",), rows=[(create,)])
    names = "'deduplicate_blocks_in_dependent_materialized_views', 'deduplicate_insert'"
    store.answers[f"SELECT name, value FROM system.settings WHERE name IN ({names})"] = Result(
        columns=("name", "value"), rows=list(settings.items())
    )
    return store


@pytest.mark.parametrize(
    ("settings", "missed"),
    [
        pytest.param({FEEDS_VIEWS: "0"}, True, id="before 26.2, as it comes"),
        pytest.param({FEEDS_VIEWS: "1"}, False, id="before 26.2, set in the profile"),
        pytest.param({FEEDS_VIEWS: "0", "deduplicate_insert": "enable"}, False, id="from 26.2 on it is sent"),
        pytest.param({}, False, id="engine that has no such setting"),
    ],
)
def test_replicated_table_whose_views_miss_repeats_is_known(settings, missed):
    """An older engine feeds the views of a Replicated table from a repeated INSERT only if its profile says so."""
    table = ClickHouseTable(replicated(**settings), database="m", table="t", columns=["a"])

    assert table.views_miss_repeats() is missed


def test_views_of_a_plain_table_miss_no_repeats(chdb_store, database):
    """A table without replicas passes every repeated INSERT on to its views."""
    chdb_store.command(f"CREATE TABLE `{database}`.`t` (a String) ENGINE = MergeTree ORDER BY a")

    assert not ClickHouseTable(chdb_store, database=database, table="t", columns=["a"]).views_miss_repeats()


@pytest.mark.parametrize(
    ("engine", "is_refused"),
    [
        pytest.param("MergeTree ORDER BY a SETTINGS async_insert = 1", True, id="set"),
        pytest.param(
            "MergeTree ORDER BY a SETTINGS index_granularity = 8192, async_insert = true", True, id="in words"
        ),
        pytest.param("MergeTree ORDER BY a SETTINGS async_insert = 0", False, id="set to what it should be"),
        pytest.param("MergeTree ORDER BY a COMMENT 'async_insert = 1'", False, id="words in a comment"),
        pytest.param("Memory", False, id="engine without it"),
    ],
)
def test_table_that_makes_inserts_asynchronous_is_refused(chdb_store, database, engine, is_refused):
    """Its own setting counts, and no words elsewhere: an asynchronous INSERT is not what our tokens and answers stand for."""
    chdb_store.command(f"CREATE TABLE `{database}`.`t` (a String) ENGINE = {engine}")
    table = ClickHouseTable(chdb_store, database=database, table="t", columns=["a"])

    expected = pytest.raises(StoreMisconfigured, match="async_insert = 1") if is_refused else contextlib.nullcontext()
    with expected:
        table.refuse_async_inserts()
