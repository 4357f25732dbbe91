"""Which views a repeated INSERT feeds once more."""

import contextlib
from functools import partial

import pytest

from millstream.handlers.events import EventRepository
from millstream.handlers.store import QueryError, Result, StoreUnavailable, find_fed_twice
from millstream.handlers.testing import FakeStore
from tests.handlers.store.real_clickhouse import TWO_SHARDS

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
    """Knows how tables of the database m were made, and which views read them; no window is set by default.

    Args:
        tables: those here, by their name.
        shards: those of each shard of the cluster c; an error instead is what asking for them raises.
    """

    def __init__(self, tables, shards=()):
        super().__init__()
        self._tables = tables
        self._shards = shards

    def query(self, sql, *, read_only=True):
        """Answer what is asked of tables."""
        is_of_shards = " FROM cluster('c', system." in sql
        if is_of_shards and isinstance(self._shards, Exception):
            raise self._shards
        places = self._shards if is_of_shards else [self._tables]
        if "merge_tree_settings" in sql:
            return Result(columns=("value",), rows=[("0",) for _ in places])
        made = [tables[name] for tables in places for name in tables if sql.endswith(f"name = '{name}'")]
        rows = [(create, ["m"] * len(views), views) for create, views in made]
        return Result(columns=("create", "databases", "names"), rows=rows)


SUMS = "CREATE TABLE m.{} (`n` UInt64) ENGINE = SummingMergeTree ORDER BY n {}"
VIEW = "CREATE MATERIALIZED VIEW m.`to {0}` TO m.{0} (`n` UInt64) AS SELECT 1"
FRONT = "CREATE TABLE m.{} (`n` UInt64) ENGINE = Distributed('c', 'm', 'behind', n)"
TABLE = ("CREATE TABLE m.t (a String) ENGINE = MergeTree ORDER BY a", ["to front", "to sums"])
HERE = {"t": TABLE, "to front": (VIEW.format("front"), []), "front": (FRONT.format("front"), [])}
HERE |= {"to sums": (VIEW.format("sums"), []), "sums": (SUMS.format("sums", ""), [])}
SHARD = {"behind": (SUMS.format("behind", WINDOW), ["to more"]), "to more": (VIEW.format("more"), [])}
OPEN_SHARD = {**SHARD, "behind": (SUMS.format("behind", ""), [])}
ITSELF = {"t": (FRONT.format("t"), [])}
OF_T, OF_BEHIND, OF_MORE = "m.sums", "m.behind ON CLUSTER c", "m.more ON CLUSTER c"


@pytest.mark.parametrize(
    ("tables", "shards", "found"),
    [
        pytest.param(HERE, [SHARD], [OF_T], id="all have one"),
        pytest.param(
            HERE, [{**SHARD, "more": (SUMS.format("more", ""), [])}], [OF_MORE, OF_T], id="of a view of a shard"
        ),
        pytest.param(HERE, [SHARD, OPEN_SHARD], [OF_BEHIND, OF_T], id="one shard has none"),
        pytest.param(HERE, [], [OF_T], id="it is on no shard"),
        pytest.param(HERE, QueryError("Not enough privileges", code=497), [OF_T], id="the user may not look there"),
        pytest.param(HERE, StoreUnavailable("timed out"), [OF_T], id="a shard does not answer"),
        pytest.param(ITSELF, [OPEN_SHARD], [], id="of our own rows behind the table"),
        pytest.param(
            ITSELF, [{**SHARD, "more": (SUMS.format("more", ""), [])}], [OF_MORE], id="of a view behind the table"
        ),
    ],
)
def test_tables_of_shards_are_looked_at_where_they_may_be(tables, shards, found):
    """Each shard has windows of its own; what is not shown is only less to be warned of."""
    assert list(find_fed_twice(ScriptedTables(tables, shards), "m", "t")) == found


@pytest.mark.parametrize(("user", "is_seen"), [("default", True), ("reader", False)])
def test_view_target_on_the_shards_of_a_real_server_is_found(own_clickhouse, user, is_seen):
    """A repeated INSERT doubles its rows there; who may not read from shards is told of the others."""
    database = own_clickhouse.create_database()
    with contextlib.closing(own_clickhouse.open()) as owner, contextlib.closing(own_clickhouse.open(user)) as store:
        owner.command(f"CREATE TABLE {database}.t (a String) ENGINE = MergeTree ORDER BY a {WINDOW}")
        make_view(owner, database, "sums", "SummingMergeTree ORDER BY n")
        owner.command(
            f"CREATE TABLE {database}.behind (n UInt64, s Int8, v UInt8) ENGINE = SummingMergeTree ORDER BY n"
        )
        make_view(owner, database, "front", f"Distributed('{TWO_SHARDS}', '{database}', 'behind', n)")
        found = find_fed_twice(store, database, "t")
    own_clickhouse.drop_database(database)

    assert list(found) == [f"{database}.behind ON CLUSTER {TWO_SHARDS}"] * is_seen + [f"{database}.sums"]


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
