"""A server's own settings change nothing: what an INSERT depends on is sent with it."""

import contextlib

import pytest

from millstream.handlers.store import ShardRefused, StoreMisconfigured, ViewFailed, open_store
from millstream.handlers.store.sent_settings import SENT
from millstream.router import MillstreamError, TransientError
from scripts.clickhouse_server.fault_server import fault_server
from tests.handlers.store.hostile_profile import other
from tests.handlers.store.insert_scenario import run_scenario
from tests.handlers.store.real_clickhouse import DOWN, TWO_SHARDS

ONE_BLOCK = {name for name in SENT if "block_size" in name or "block_limits" in name or "block_wait" in name}
JOINED = "(SELECT toString(number) AS id FROM numbers(9)) AS joined"
LIMITS = {
    "timeout_overflow_mode": ("max_execution_time", "toString(sleepEachRow(0.2)) AS r FROM {rows}"),
    "read_overflow_mode": ("max_rows_to_read", "id AS r FROM {rows}"),
    "read_overflow_mode_leaf": ("max_rows_to_read_leaf", "id AS r FROM {rows}"),
    "group_by_overflow_mode": ("max_rows_to_group_by", "id AS r FROM {rows} GROUP BY id"),
    "distinct_overflow_mode": ("max_rows_in_distinct", "DISTINCT id AS r FROM {rows}"),
    "join_overflow_mode": ("max_rows_in_join", f"id AS r FROM {{rows}} ANY LEFT JOIN {JOINED} USING id"),
    "set_overflow_mode": (
        "max_rows_in_set",
        "id AS r FROM {rows} WHERE id IN (SELECT toString(number) FROM numbers(9))",
    ),
    "sort_overflow_mode": ("max_rows_to_sort", "id AS r FROM {rows} ORDER BY id"),
}
"""What happens at a limit of the user's shows only in a view that reaches it: the limit, and such a view."""
FOUR_ROWS = b'{"id":"a"}\n{"id":"b"}\n{"id":"c"}\n{"id":"dddd"}'
FOREGROUND = {"distributed_foreground_insert", "insert_distributed_sync"}
PIECES = "min_chunk_bytes_for_parallel_parsing"
ELSEWHERE = ONE_BLOCK | LIMITS.keys() | FOREGROUND | {PIECES}
"""What has a test of its own."""
NOT_SHOWN = {
    "async_insert",  # the library has no queue for async inserts
    "wait_for_async_insert",
    "insert_distributed_one_random_shard",  # needs two shards
    "insert_shard_id",  # needs two shards
    "insert_deduplicate",  # before 26.2: deduplicate_insert wins over it
    "input_format_connection_handling",  # this engine refuses a body that ends too early, whatever it is set to
}


@pytest.fixture(scope="module")
def owner(own_clickhouse):
    """The store of a user whom nothing limits."""
    with contextlib.closing(own_clickhouse.open()) as store:
        yield store


@pytest.fixture(scope="module", params=["direct", "through a proxy"])
def hostile(own_clickhouse, request):
    """The store of a user whose profile has them all wrong, with and without a proxy in between."""
    with contextlib.ExitStack() as stack:
        server = own_clickhouse if request.param == "direct" else stack.enter_context(fault_server(own_clickhouse.url))
        yield stack.enter_context(contextlib.closing(open_store(server.address("hostile"))))


@pytest.fixture
def sharded(owner, database):
    """A table on two shards that want short ids."""
    owner.command(
        f"CREATE TABLE {database}.behind (id String, CONSTRAINT short CHECK length(id) < 4) ENGINE = MergeTree ORDER BY id"
    )
    engine = f"Distributed('{TWO_SHARDS}', '{database}', 'behind', cityHash64(id))"
    owner.command(f"CREATE TABLE {database}.sharded (id String) ENGINE = {engine}")
    return f"`{database}`.`sharded`"


@pytest.fixture(scope="module")
def expected(own_clickhouse, owner):
    """What the INSERTs come to where nobody has changed anything."""
    database = own_clickhouse.create_database()
    yield run_scenario(owner, database, owner)
    own_clickhouse.drop_database(database)


@pytest.fixture
def database(own_clickhouse):
    """A new, empty database on the server."""
    name = own_clickhouse.create_database()
    yield name
    own_clickhouse.drop_database(name)


def differences(seen, expected):
    """Return what came out in another way."""
    return {name: (seen[name], expected[name]) for name in expected if seen[name] != expected[name]}


class TestOnAServer:
    """All in one place: they share a server."""

    def test_hostile_profile_changes_nothing(self, owner, hostile, database, expected):
        """A user whose profile has every one of them wrong gets the same answers, the same rows and the same parts."""
        seen = run_scenario(owner, database, hostile)

        assert differences(seen, expected) == {}

    @pytest.mark.soak
    @pytest.mark.parametrize("name", sorted(SENT.keys() - ELSEWHERE - NOT_SHOWN))
    def test_each_setting_of_the_table_matters(self, owner, database, expected, name):
        """With another value of it in place of ours something comes out in another way: none stands there for nothing."""
        if not owner.query(f"SELECT 1 FROM system.settings WHERE name = '{name}'").rows:
            return  # an older engine, which behaves so anyway
        value = other(name)
        if isinstance(value, str):
            value = value.replace("{database}", database)

        seen = run_scenario(owner, database, owner, {name: value})

        assert differences(seen, expected)

    def test_sizes_of_blocks_matter(self, owner, database, expected):
        """They matter together: with small blocks a refused INSERT leaves its first rows behind."""
        names = ONE_BLOCK - {"input_format_max_block_wait_ms"}

        seen = run_scenario(owner, database, owner, {name: other(name) for name in names})

        assert "parts" in differences(seen, expected)

    def test_size_of_pieces_matters_where_a_body_is_cut_into_them(self, owner, database, expected):
        """Where the user may not turn parallel parsing off, and the profile has it cut lines."""
        pieces = {"input_format_parallel_parsing": 1}

        assert differences(run_scenario(owner, database, owner, {**pieces, PIECES: other(PIECES)}), expected)

    @pytest.mark.parametrize("name", sorted(LIMITS))
    def test_limit_that_a_view_reaches_is_told(self, owner, hostile, database, name):
        """An INSERT whose view could not read all of it is not accepted, as it would be with the other value."""
        limit, select = LIMITS[name]
        rows, block = f"`{database}`.`rows`", b"\n".join(b'{"id":"%d"}' % number for number in range(9))
        owner.command(f"CREATE TABLE {rows} (id String) ENGINE = MergeTree ORDER BY id")
        owner.command(f"CREATE TABLE {database}.target (r String) ENGINE = MergeTree ORDER BY r")
        view = f"CREATE MATERIALIZED VIEW {database}.limited TO {database}.target"
        owner.command(f"{view} AS SELECT {select.format(rows=rows)}")

        with pytest.raises(MillstreamError):
            hostile.insert_lines(rows, ["id"], block, "one", {limit: 1})

        owner.insert_lines(rows, ["id"], block, "two", {limit: 1, name: other(name)})

    def test_distributed_table_whose_shard_is_down_is_an_outage(self, owner, hostile, database):
        """Nothing is accepted before the shard has the rows; with the other value it is, and they lie in a spool."""
        rows = f"`{database}`.`rows`"
        owner.command(f"CREATE TABLE {rows} (id String) ENGINE = Distributed('{DOWN}', '{database}', 'behind')")

        with pytest.raises(TransientError):
            hostile.insert_lines(rows, ["id"], b'{"id":"a"}', "one")
        owner.insert_lines(rows, ["id"], b'{"id":"a"}', "two", dict.fromkeys(FOREGROUND, 0))

    def test_locked_setting_ends_before_the_first_insert(self, own_clickhouse):
        """A user who may not turn async inserts off is told so, by the name of the setting; he can still read."""
        with contextlib.closing(own_clickhouse.open("locked")) as store:
            with pytest.raises(StoreMisconfigured, match="async_insert is 1, must be 0"):
                store.prepare_inserts()

            assert store.query("SELECT 1").rows == [(1,)]

    def test_locked_setting_that_is_right_is_no_obstacle(self, own_clickhouse, owner, database, expected):
        """A constraint is not broken by what is the value already."""
        with contextlib.closing(own_clickhouse.open("locked_right")) as store:
            seen = run_scenario(owner, database, store)

        assert differences(seen, expected) == {}

    def test_view_that_fails_is_named(self, owner, database):
        """A server adds the view to its error as the embedded engine does; the table has the rows, once."""
        run_scenario(owner, database, owner)
        readings = f"`{database}`.`readings`"

        with pytest.raises(ViewFailed, match=rf"the view {database}\.parsing raised CANNOT_PARSE_") as caught:
            owner.insert_lines(readings, ["text"], b'{"text":"hush"}', "one")

        assert "hush" not in str(caught.value)
        assert owner.query(f"SELECT count() FROM {readings} WHERE text = 'hush'").rows == [(1,)]

    def test_view_is_named_however_long_the_error_is(self, owner, database):
        """A text cut before the name of the view would have rows poisoned that are stored."""
        run_scenario(owner, database, owner)
        readings = f"`{database}`.`readings`"

        with pytest.raises(ViewFailed, match=rf"the view {database}\.parsing raised CANNOT_PARSE_"):
            owner.insert_lines(readings, ["text"], b'{"text":"%b"}' % (b"hush" * 1000), "one")

    def test_row_that_one_of_two_shards_refuses_is_not_looked_for(self, owner, sharded):
        """The other shard has its rows already: nothing is cut, and no value of the row is told."""
        with pytest.raises(
            ShardRefused, match=r"a shard refused rows while others may have theirs: Constraint `short`"
        ) as caught:
            owner.insert_lines(sharded, ["id"], FOUR_ROWS, "one")

        assert "dddd" not in str(caught.value)

    def test_view_of_a_shard_is_named(self, owner, database, sharded):
        """What a Distributed table appends to the error does not hide it."""
        view = f"CREATE MATERIALIZED VIEW {database}.failing ENGINE = Memory"
        owner.command(f"{view} AS SELECT throwIf(id = 'b') AS r FROM {database}.behind")

        with pytest.raises(ViewFailed, match=rf"the view {database}\.failing raised FUNCTION_THROW_IF"):
            owner.insert_lines(sharded, ["id"], b'{"id":"a"}\n{"id":"b"}', "one")
