"""What a table is like, read from what the engine says."""

import pytest

from millstream.handlers.store.protocols import Result
from millstream.handlers.store.table_look import FoundColumn, FoundTable, has_database, look_at_table
from millstream.handlers.store.table_shape import IndexShape
from millstream.handlers.testing import FakeStore
from millstream.router import ConfigurationError

CREATE = """\
CREATE TABLE d.t
(
    `id` String,
    INDEX by_id id TYPE set(0) GRANULARITY 4,
    CONSTRAINT check_id CHECK id != '',
    CONSTRAINT `two` CHECK (id != 'a, b') AND (id != 'c')
)
ENGINE = {engine}
ORDER BY id
SETTINGS index_granularity = 8192, storage_policy = 'a, b = 1', async_insert = 1
COMMENT 'SETTINGS async_insert = 0'"""


def store_of(engine, full):
    """Return a store that has the table `d`.`t` of an engine."""
    place = "WHERE database = 'd' AND table = 't'"
    answers = {
        "SELECT engine, engine_full, partition_key, primary_key, sorting_key FROM system.tables"
        " WHERE database = 'd' AND name = 't'": [(engine, full, "", "id", "id")],
        "SHOW CREATE TABLE `d`.`t`": [(CREATE.format(engine=full.partition(" ORDER")[0]),)],
        "SELECT name, type, default_kind, default_expression, is_in_partition_key FROM system.columns"
        f" {place} ORDER BY position": [("id", "String", "", "", 0)],
        f"SELECT name, expr, type_full, granularity FROM system.data_skipping_indices {place}": [
            ("by_id", "id", "set(0)", 4)
        ],
        "SELECT name, value FROM system.merge_tree_settings": [("async_insert", "0"), ("min_rows", "7")],
        "SELECT timezone()": [("Europe/Berlin",)],
    }
    store = FakeStore()
    store.answers.update({sql: Result((), rows) for sql, rows in answers.items()})
    return store


@pytest.mark.parametrize(
    ("engine", "full", "replicated", "version"),
    [
        ("ReplacingMergeTree", "ReplacingMergeTree(at) ORDER BY id", False, "at"),
        ("ReplacingMergeTree", "ReplacingMergeTree ORDER BY tuple(id)", False, ""),
        (
            "ReplicatedReplacingMergeTree",
            "ReplicatedReplacingMergeTree('/p/{uuid}', '{replica}', at) ORDER BY id",
            True,
            "at",
        ),
        ("ReplacingMergeTree", "ReplacingMergeTree PRIMARY KEY (a, b) ORDER BY (a, b)", False, ""),
        ("ReplacingMergeTree", "ReplacingMergeTree(at) PRIMARY KEY (a, b) ORDER BY (a, b)", False, "at"),
        ("ReplicatedReplacingMergeTree", "ReplicatedReplacingMergeTree('/p', 'r') ORDER BY id", True, ""),
        (
            "SharedReplacingMergeTree",
            "SharedReplacingMergeTree('/p', 'r', at) PARTITION BY f(x) ORDER BY id",
            True,
            "at",
        ),
    ],
)
def test_a_table_is_taken_apart(engine, full, replicated, version):
    """Expect its own settings over the defaults, its constraints whole, and a replicated engine as the one that it is."""
    assert look_at_table(store_of(engine, full), "d", "t") == FoundTable(
        engine="ReplacingMergeTree",
        is_replicated=replicated,
        version=version,
        columns={"id": FoundColumn("String")},
        constraints={"check_id": "id != ''", "two": "(id != 'a, b') AND (id != 'c')"},
        indexes={"by_id": IndexShape("id", "set(0)", 4)},
        partition_key="",
        primary_key="id",
        sorting_key="id",
        settings={"async_insert": "1", "min_rows": "7", "index_granularity": "8192", "storage_policy": "a, b = 1"},
        zone="Europe/Berlin",
    )


def test_only_identifiers_reach_the_sql():
    """Expect nothing to be asked under any other name."""
    with pytest.raises(ConfigurationError):
        has_database(FakeStore(), "d'; --")
    with pytest.raises(ConfigurationError):
        look_at_table(FakeStore(), "d", "t'")
