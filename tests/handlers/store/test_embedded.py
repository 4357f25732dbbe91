"""The store on an embedded chDB folder."""

import datetime
import tempfile
import threading

import pytest

from millstream.handlers.store import (
    ClickHouseTable,
    DataError,
    LineFormat,
    QueryError,
    ShapeError,
    StoreMisconfigured,
    StoreUnavailable,
    ViewFailed,
    open_store,
)
from millstream.router.errors import ConfigurationError, StateError

COLUMNS = ["id", "timestamp", "properties"]


@pytest.fixture
def table(chdb_store, database):
    """A small table with a day partition, a constraint and a deduplication window."""
    chdb_store.command(
        f"CREATE TABLE `{database}`.`t` (id String, timestamp DateTime64(3, 'UTC'), properties String DEFAULT '{{}}',"
        " CONSTRAINT named CHECK id != '') ENGINE = MergeTree PARTITION BY toYYYYMMDD(timestamp) ORDER BY id"
        " SETTINGS non_replicated_deduplication_window = 100"
    )
    return ClickHouseTable(chdb_store, database=database, table="t", columns=COLUMNS)


def line(name, day=0, properties=b"{}"):
    """One event as a line."""
    date = datetime.date(2026, 1, 1) + datetime.timedelta(days=day)
    return b'{"id":"%s","timestamp":"%sT10:00:00Z","properties":%s}' % (
        name.encode(),
        date.isoformat().encode(),
        properties,
    )


def rows(store, table, what="count()"):
    """What the table holds."""
    return store.query(f"SELECT {what} FROM {table.full_name}").rows


def test_lines_are_stored_as_they_came(chdb_store, table):
    """Objects keep every digit, unknown keys are ignored, null and missing values take the column's default."""
    properties = b'{"big":12345678901234567890123,"small":0.1000000000000000055511151231257827}'
    block = line("a", 0, properties) + b'\n{"id":"b","timestamp":"2026-01-01T10:00:00.5+05:30","extra":[1]}'

    chdb_store.insert_lines(table.full_name, COLUMNS, block, "tok")

    stored = rows(chdb_store, table, "id, toString(timestamp), properties")
    assert ("a", "2026-01-01 10:00:00.000", properties.decode()) in stored
    assert ("b", "2026-01-01 04:30:00.500", "{}") in stored


def test_key_in_another_case_is_an_unknown_key(chdb_store, table):
    """Only the exact name of a column fills it, and its other spelling is no duplicate."""
    block = b'{"ID":"x","id":"a","Timestamp":1,"timestamp":"2026-01-01T10:00:00Z","PROPERTIES":{"b":1}}'

    chdb_store.insert_lines(table.full_name, COLUMNS, block, "tok")

    assert rows(chdb_store, table, "id, properties") == [("a", "{}")]


def test_same_token_is_stored_once(chdb_store, table):
    """A repeated INSERT under its token adds nothing."""
    for _ in range(2):
        chdb_store.insert_lines(table.full_name, COLUMNS, line("a"), "tok")

    assert rows(chdb_store, table) == [(1,)]


def test_inserts_are_counted_by_the_engine(chdb_store, table):
    """Two INSERTs raise the engine's own count by two."""
    before = chdb_store.insert_count()

    chdb_store.insert_lines(table.full_name, COLUMNS, line("a"), "one")
    chdb_store.insert_lines(table.full_name, COLUMNS, line("b"), "two")

    assert chdb_store.insert_count() - before == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(line(""), id="constraint"),
        pytest.param(b'{"id":"x","timestamp":"hush"}', id="unreadable value"),
        pytest.param(b"hush", id="no JSON"),
    ],
)
def test_one_bad_line_leaves_nothing_behind(chdb_store, table, bad):
    """Fifty thousand good lines of seven days and a bad one at the end: nothing is stored, and the row is named."""
    block = b"\n".join(
        [line(str(number), number % 7, b'{"p":"%s"}' % (b"x" * 500)) for number in range(50_000)] + [bad]
    )

    with pytest.raises(DataError) as caught:
        chdb_store.insert_lines(table.full_name, COLUMNS, block, "tok")

    assert rows(chdb_store, table) == [(0,)]
    assert caught.value.row == 50_001
    assert "hush" not in str(caught.value)
    assert tempfile.gettempdir() not in str(caught.value)


@pytest.mark.slow
def test_batch_of_32_mib_is_one_block(chdb_store, table):
    """The largest batch makes one part per day: it was written in one go."""
    block = b"\n".join(line(str(number), number % 3, b'{"p":"%s"}' % (b"x" * 600)) for number in range(50_000))

    chdb_store.insert_lines(table.full_name, COLUMNS, block, "tok")

    parts = chdb_store.query(
        f"SELECT uniqExact(_partition_id, _part), count() FROM {table.full_name} SETTINGS max_threads = 1",
        read_only=False,
    ).rows
    assert len(block) > 32 * 2**20
    assert parts == [(3, 50_000)]


def test_bad_rows_are_isolated_in_the_real_engine(chdb_store, table):
    """The engine's hints lead to the bad units: three INSERTs for each, and one more for the whole."""
    units = [line(str(number)) for number in range(500)]
    units[3], units[499] = line(""), b'{"id":"x","timestamp":"nonsense"}'
    plan = table.plan(units, "tok")

    plan.run()

    assert (sorted(plan.refused), rows(chdb_store, table)) == ([3, 499], [(498,)])
    assert plan.refused[3].code == 469
    assert plan.inserts == 6


def test_view_that_fails_is_named_and_blamed(chdb_store, database, table):
    """Its table has the rows, once, however often they are sent; mended, the view gets what it missed."""
    numbers = f"CREATE TABLE `{database}`.`numbers` (x Float64) ENGINE = MergeTree ORDER BY x"
    chdb_store.command(f"{numbers} SETTINGS non_replicated_deduplication_window = 100")
    view = f"SELECT toFloat64(JSONExtractString(properties, 'amount')) AS x FROM {table.full_name}"
    chdb_store.command(f"CREATE MATERIALIZED VIEW `{database}`.`sum of x` TO `{database}`.`numbers` AS {view}")
    plan = table.plan([line("a", properties=b'{"amount":"1"}'), line("b", properties=b'{"amount":"hush"}')], "tok")

    for _ in range(2):
        with pytest.raises(ViewFailed) as caught:
            plan.run()
    chdb_store.command(f"DROP VIEW `{database}`.`sum of x`")
    view = view.replace("toFloat64(", "toFloat64OrZero(")
    chdb_store.command(f"CREATE MATERIALIZED VIEW `{database}`.`sum of x` TO `{database}`.`numbers` AS {view}")
    plan.run()

    assert caught.value.view == f"{database}.`sum of x`"
    assert "hush" not in str(caught.value)
    assert (plan.inserts, plan.refused, rows(chdb_store, table)) == (3, {}, [(2,)])
    assert chdb_store.query(f"SELECT sum(x), count() FROM `{database}`.`numbers`").rows == [(1.0, 2)]


@pytest.mark.parametrize(
    ("window", "fed"), [pytest.param("", 2, id="without a window"), pytest.param("100", 1, id="with a window")]
)
def test_repeated_insert_feeds_a_view_again_unless_its_target_has_a_window(chdb_store, database, table, window, fed):
    """The table drops the repeat by its token; a view's target does so only where it remembers tokens too."""
    setting = f"SETTINGS non_replicated_deduplication_window = {window}" if window else ""
    chdb_store.command(f"CREATE TABLE `{database}`.`counts` (n UInt64) ENGINE = MergeTree ORDER BY n {setting}")
    view = f"CREATE MATERIALIZED VIEW `{database}`.`counting` TO `{database}`.`counts`"
    chdb_store.command(f"{view} AS SELECT count() AS n FROM {table.full_name}")

    for _ in range(2):
        chdb_store.insert_lines(table.full_name, COLUMNS, line("a"), "tok")

    assert rows(chdb_store, table) == [(1,)]
    assert chdb_store.query(f"SELECT sum(n) FROM `{database}`.`counts`").rows == [(fed,)]


@pytest.mark.slow
def test_batch_over_400_days_is_stored(chdb_store, table):
    """More days than one INSERT may touch are cut by day."""
    plan = table.plan([line(str(day), day) for day in range(400)], "tok", days=list(range(400)))

    plan.run()

    assert (plan.inserts, rows(chdb_store, table)) == (4, [(400,)])


def test_too_many_days_in_one_insert_is_a_matter_of_shape(chdb_store, table):
    """Code 252 about partitions is a `ShapeError`, and nothing is stored."""
    block = b"\n".join(line(str(day), day) for day in range(101))

    with pytest.raises(ShapeError) as caught:
        chdb_store.insert_lines(table.full_name, COLUMNS, block, "tok")

    assert (caught.value.code, rows(chdb_store, table)) == (252, [(0,)])


@pytest.mark.parametrize(
    ("name", "columns", "settings"),
    [
        pytest.param("nope", COLUMNS, None, id="no such table"),
        pytest.param("t", ["id", "nope"], None, id="no such column"),
        pytest.param("t", COLUMNS, {"no_such_setting": 1}, id="no such setting"),
    ],
)
def test_wrong_table_is_a_matter_of_configuration(chdb_store, table, database, name, columns, settings):
    """What no row is to blame for poisons none."""
    with pytest.raises(StoreMisconfigured):
        chdb_store.insert_lines(f"`{database}`.`{name}`", columns, line("a"), "tok", settings)


def test_full_or_missing_temporary_folder_is_a_store_that_is_unavailable(chdb_store, table, monkeypatch, tmp_path):
    """An embedded INSERT goes through a temporary file; without one it is known not to be stored."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    with pytest.raises(StoreUnavailable, match="temporary file"):
        chdb_store.insert_lines(table.full_name, COLUMNS, line("a"), "tok")

    assert rows(chdb_store, table) == [(0,)]


def test_deeply_nested_properties_are_stored(chdb_store, table):
    """Columns read as text know no depth; only keys that are no column do."""
    deep = b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"

    chdb_store.insert_lines(table.full_name, COLUMNS, line("a", 0, deep), "tok")

    assert rows(chdb_store, table, "length(properties)") == [(len(deep),)]


def test_two_threads_insert_while_a_third_reads(chdb_store, table):
    """Any thread may use the store at any time, also while a stream is open."""
    stream = chdb_store.stream("SELECT number FROM numbers(5000000)", LineFormat.TSV)
    next(stream)

    def insert(lane):
        for number in range(10):
            chdb_store.insert_lines(table.full_name, COLUMNS, line(f"{lane}-{number}"), f"{lane}-{number}")

    threads = [threading.Thread(target=insert, args=(lane,)) for lane in ("regular", "lazy")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    stream.close()
    assert rows(chdb_store, table) == [(20,)]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("INSERT INTO {t} (id) VALUES ('x')", id="insert"),
        pytest.param("INSERT INTO FUNCTION file('{f}') SELECT 1", id="insert into a file"),
        pytest.param("SELECT 1 INTO OUTFILE '{f}'", id="select into a file"),
        pytest.param("SELECT 1; DROP TABLE {t}", id="second statement"),
        pytest.param("DROP TABLE {t}", id="drop"),
        pytest.param("ALTER TABLE {t} DELETE WHERE 1", id="alter"),
        pytest.param("CREATE TABLE other (a Int8) ENGINE = Memory", id="create"),
        pytest.param("SET readonly = 0", id="turn read-only off"),
        pytest.param("SELECT 1 SETTINGS readonly = 0", id="turn read-only off in a clause"),
        pytest.param("OPTIMIZE TABLE {t} FINAL", id="optimize"),
    ],
)
def test_read_only_query_cannot_write(chdb_store, table, tmp_path, statement):
    """Whatever writes is refused, by query and by stream, and leaves no trace."""
    chdb_store.insert_lines(table.full_name, COLUMNS, line("a"), "tok")
    sql = statement.format(t=table.full_name, f=tmp_path / "out")

    with pytest.raises(QueryError):
        chdb_store.query(sql)
    with pytest.raises(QueryError):
        list(chdb_store.stream(sql, LineFormat.TSV))

    assert rows(chdb_store, table) == [(1,)]
    assert list(tmp_path.iterdir()) == []


def test_query_may_write_when_told_so(chdb_store, table):
    """Without read-only mode an INSERT runs, and answers no rows."""
    result = chdb_store.query(f"INSERT INTO {table.full_name} (id) VALUES ('x')", read_only=False)

    assert (result.columns, result.rows) == ((), [])
    assert rows(chdb_store, table) == [(1,)]


def test_failed_query_leaves_nothing_for_the_next_one(chdb_store):
    """What a statement put out before it failed does not stand before the next answer."""
    with pytest.raises(QueryError):
        chdb_store.query("SELECT number, throwIf(number = 200000) FROM numbers(300000)")

    result = chdb_store.query("SELECT 2 AS two")

    assert (result.columns, result.rows) == (("two",), [(2,)])


def test_failed_command_leaves_nothing_for_the_next_one(chdb_store):
    """The handle on which a command failed is not used again."""
    before = chdb_store.insert_count()
    with pytest.raises(QueryError):
        chdb_store.command("SELECT number, throwIf(number = 200000) FROM numbers(300000)")

    counts = {chdb_store.insert_count() for _ in range(3)}

    assert counts == {before}


def test_statement_cannot_change_the_database_of_the_next(chdb_store):
    """USE ends with its statement."""
    chdb_store.query("USE system")

    result = chdb_store.query("SELECT currentDatabase()")

    assert result.rows == [("default",)]


@pytest.mark.parametrize(
    ("line_format", "lines"),
    [
        pytest.param(LineFormat.TSV, b"18446744073709551615\ta\\tb\n", id="tsv"),
        pytest.param(LineFormat.CSV, b'18446744073709551615,"a\tb"\n', id="csv"),
        pytest.param(LineFormat.JSONL, b'{"n":18446744073709551615,"s":"a\\tb"}\n', id="jsonl"),
    ],
)
def test_stream_writes_lines_without_a_header(chdb_store, line_format, lines):
    """Each format comes as the engine writes it, with every digit."""
    sql = "SELECT 18446744073709551615 AS n, 'a\\tb' AS s"

    streamed = b"".join(chdb_store.stream(sql, line_format))

    assert streamed == lines


def test_error_in_a_stream_is_raised(chdb_store):
    """A statement that fails after some million rows fails the stream."""
    stream = chdb_store.stream("SELECT throwIf(number = 2000000) FROM numbers(3000000)", LineFormat.TSV)

    with pytest.raises(QueryError, match="395"):
        list(stream)


def test_unqualified_names_mean_the_given_database(chdb_store, chdb_folder, table, database):
    """A store opened for a database finds its tables without a prefix; it shares the folder with one that is open."""
    store = open_store(f"chdb://{chdb_folder}", database=database)

    result = store.query("SELECT count() FROM t")

    store.close()
    assert result.rows == [(0,)]
    assert rows(chdb_store, table) == [(0,)]


def test_second_folder_in_one_process_is_refused(chdb_store, chdb_folder, tmp_path):
    """A process has one folder open; the error names both."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(f"chdb://{tmp_path / 'other'}")

    assert str(tmp_path / "other") in str(caught.value)
    assert str(chdb_folder) in str(caught.value)


def test_closed_store_refuses_every_call(chdb_store, chdb_folder):
    """Closing twice is harmless, and using a closed store is a bug of the caller."""
    store = open_store(f"chdb://{chdb_folder}")
    store.close()
    store.close()

    for call in (store.insert_count, lambda: store.query("SELECT 1"), lambda: store.command("SELECT 1")):
        with pytest.raises(StateError):
            call()
