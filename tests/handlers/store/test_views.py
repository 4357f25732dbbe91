"""Which views a repeated INSERT feeds once more."""

from functools import partial

import pytest

from millstream.handlers.events import EventRepository
from millstream.handlers.store import Result, find_fed_twice
from millstream.handlers.testing import FakeStore

WINDOW = "SETTINGS non_replicated_deduplication_window = 100"


@pytest.fixture
def fed_twice(chdb_store, database):
    """Make a table with a window, which views may read; returns a function that looks for those that are fed twice."""
    chdb_store.command(f"CREATE TABLE `{database}`.`t` (a String) ENGINE = MergeTree ORDER BY a {WINDOW}")
    return partial(find_fed_twice, chdb_store, database, "t")


def make_view(store, database, target, engine, *, source="t"):
    """Make the table *target* and a view that fills it."""
    store.command(f"CREATE TABLE `{database}`.`{target}` (n UInt64, s Int8, v UInt8) ENGINE = {engine}")
    view = f"CREATE MATERIALIZED VIEW `{database}`.`to {target}` TO `{database}`.`{target}`"
    store.command(f"{view} AS SELECT count() AS n, 1 AS s, 1 AS v FROM `{database}`.`{source}`")


@pytest.mark.parametrize(
    ("engine", "is_fed_twice"),
    [
        pytest.param("MergeTree ORDER BY n", True, id="no window"),
        pytest.param("SummingMergeTree ORDER BY n", True, id="sums without a window"),
        pytest.param(f"SummingMergeTree ORDER BY n {WINDOW}", False, id="sums with a window"),
        pytest.param("ReplacingMergeTree ORDER BY n", False, id="replaces repeated rows"),
        pytest.param("CollapsingMergeTree(s) ORDER BY n", True, id="collapses only with a row that cancels"),
        pytest.param("VersionedCollapsingMergeTree(s, v) ORDER BY n", True, id="collapses versions likewise"),
        pytest.param("Memory", False, id="no place for sums"),
        pytest.param("Log", False, id="no window to give it"),
        pytest.param("Null", False, id="keeps nothing"),
    ],
)
def test_target_that_counts_a_repeated_insert_twice_is_found(chdb_store, database, fed_twice, engine, is_fed_twice):
    """What decides is the target's own window, or an engine that keeps no repeated rows."""
    make_view(chdb_store, database, "target", engine)

    assert list(fed_twice()) == [f"{database}.target"] * is_fed_twice


def test_views_of_views_are_found(chdb_store, database, fed_twice):
    """The rows go on, through a table that keeps none of them too."""
    make_view(chdb_store, database, "passing", "Null")
    make_view(chdb_store, database, "last", "MergeTree ORDER BY n", source="passing")

    assert list(fed_twice()) == [f"{database}.last"]


def test_view_that_keeps_its_rows_itself_is_found_by_its_own_name(chdb_store, database, fed_twice):
    """Its statement names the engine."""
    for name, settings in [("without", ""), ("with", WINDOW)]:
        view = f"CREATE MATERIALIZED VIEW `{database}`.`{name}` ENGINE = MergeTree ORDER BY n {settings}"
        chdb_store.command(f"{view} AS SELECT count() AS n FROM `{database}`.`t`")

    assert list(fed_twice()) == [f"{database}.without"]


@pytest.mark.parametrize(
    ("engine", "setting"),
    [
        ("MergeTree", "non_replicated_deduplication_window"),
        ("ReplicatedSummingMergeTree('/path', 'a')", "replicated_deduplication_window"),
        ("SharedMergeTree", "replicated_deduplication_window"),
    ],
    ids=["by itself", "replicated", "shared"],
)
def test_the_setting_of_the_window_is_that_of_the_engine(engine, setting):
    """As the other one would do nothing there."""
    store = ScriptedTables(
        {
            "t": ("CREATE TABLE m.t (a String) ENGINE = Null", ["to sums"]),
            "to sums": ("CREATE MATERIALIZED VIEW m.`to sums` TO m.sums (`n` UInt64) AS SELECT 1", []),
            "sums": (f"CREATE TABLE m.sums (`n` UInt64) ENGINE = {engine} ORDER BY n", []),
        }
    )

    assert find_fed_twice(store, "m", "t") == {"m.sums": setting}


class ScriptedTables(FakeStore):
    """Knows how tables of the database m were made, and which views read them; no window is set by default."""

    def __init__(self, tables):
        super().__init__()
        self._tables = tables

    def query(self, sql, *, read_only=True):
        """Answer what is asked of tables."""
        if "merge_tree_settings" in sql:
            return Result(
                columns=("name", "value"),
                rows=[(f"{each}replicated_deduplication_window", "0") for each in ("", "non_")],
            )
        create, views = next(self._tables[name] for name in self._tables if sql.endswith(f"name = '{name}'"))
        return Result(columns=("create", "databases", "names"), rows=[(create, ["m"] * len(views), views)])


def test_table_without_views_feeds_none(fed_twice):
    """Nor does a view that reads something else count."""
    assert fed_twice() == {}


def test_views_that_are_fed_twice_are_warned_about(chdb_store, database, log_lines):
    """At the start, by name, with what to do; afterwards there is nothing to say."""
    repository = EventRepository(chdb_store, database=database)
    repository.prepare(create=True)
    make_view(chdb_store, database, "counts", "SummingMergeTree ORDER BY n", source="events")

    repository.prepare(create=False)
    (warning,) = log_lines
    chdb_store.command(f"ALTER TABLE `{database}`.`counts` MODIFY SETTING non_replicated_deduplication_window = 1000")
    repository.prepare(create=False)

    assert warning.startswith("WARNING a repeated INSERT adds its rows once more")
    assert warning.endswith(f": {database}.counts (non_replicated_deduplication_window)")
    assert log_lines == [warning]


def test_user_who_may_not_see_how_tables_are_made_is_told_nothing():
    """It is a warning, and no reason not to start."""
    assert find_fed_twice(FakeStore(), "m", "events") == {}
