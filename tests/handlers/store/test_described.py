"""What is said of a table at the start: that it is missing, or a column is, by name and with what to do."""

import re

import pytest

from millstream.handlers.store import ClickHouseTable, QueryError, Result
from millstream.handlers.store.described import require_columns
from millstream.handlers.testing import FakeStore
from millstream.router import ConfigurationError

DESCRIBE = "DESCRIBE TABLE `shop`.`readings`"
COLUMNS = [
    ("at", ""),
    ("sensor", ""),
    ("value", "DEFAULT"),
    ("day", "MATERIALIZED"),
    ("also", "ALIAS"),
    ("raw", "EPHEMERAL"),
]


class SaysNo(FakeStore):
    """A store that refuses every query with one error."""

    def __init__(self, error):
        super().__init__()
        self._error = error

    def query(self, sql, *, read_only=True):
        """Refuse."""
        raise self._error


def store_of(columns=COLUMNS):
    """A store that knows the table's columns."""
    store = FakeStore()
    store.answers[DESCRIBE] = Result(("name", "default_type"), columns)
    return store


def require(store, *columns):
    """Look for *columns*."""
    require_columns(store, "`shop`.`readings`", columns)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        pytest.param(
            ["at", "sensorr", "valu"],
            "table `shop`.`readings` has no column `sensorr`, `valu`; it has at, sensor, value, day, also, raw",
            id="misspelt",
        ),
        pytest.param(["day"], "takes no value for `day`, as it is MATERIALIZED", id="materialized"),
        pytest.param(["also"], "takes no value for `also`, as it is ALIAS", id="alias"),
    ],
)
def test_a_column_that_takes_no_value_is_named(columns, said):
    """With its table, and with those that there are."""
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        require(store_of(), *columns)


def test_columns_that_take_values_are_all_right():
    """Those with a default, too, and those that are no more than input."""
    require(store_of(), "raw", "value", "at")


def test_only_the_first_columns_of_a_wide_table_are_listed():
    """The error stays a line."""
    with pytest.raises(ConfigurationError, match=r"c18, c19, …$"):
        require(store_of([(f"c{number}", "") for number in range(21)]), "c21")


def test_a_profile_that_describes_tables_shortly_is_no_obstacle():
    """Then nothing says which columns are computed."""
    store = FakeStore()
    store.answers[DESCRIBE] = Result(("name", "type"), [("at", "DateTime")])

    require(store, "at")


@pytest.mark.parametrize(
    ("reason", "code", "said"),
    [
        ("Table shop.readings does not exist", 60, "does not exist: create it first [ClickHouse code 60]"),
        (
            "There is no metadata of table `readings` in database `shop` (engine Overlay): Maybe you meant shop.reading?",
            390,
            "does not exist: create it first (maybe you meant shop.reading?) [ClickHouse code 390]",
        ),
    ],
)
def test_a_missing_table_is_said_in_our_words(reason, code, said):
    """The engine's differ, but for its guess at what was meant."""
    with pytest.raises(QueryError) as caught:
        require(SaysNo(QueryError(reason, code=code)), "at")

    assert str(caught.value) == f"table `shop`.`readings` {said}"


def test_any_other_error_is_said_as_it_came():
    """Such as a missing database."""
    error = QueryError("Database shop does not exist", code=81)
    with pytest.raises(QueryError) as caught:
        require(SaysNo(error), "at")

    assert caught.value is error


def test_a_misspelt_column_ends_the_start(chdb_store, database):
    """Not the first batch, after which the service would stay up for minutes; and so does a missing table."""
    chdb_store.command(f"CREATE TABLE `{database}`.`t` (a String, b UInt8 MATERIALIZED 1) ENGINE = Memory")

    def prepare(name, *columns, place=database):
        ClickHouseTable(chdb_store, database=place, table=name, columns=columns).prepare()

    prepare("t", "a")
    for columns, said in ((["a", "x"], "has no column `x`; it has a, b"), (["b"], "MATERIALIZED")):
        with pytest.raises(ConfigurationError, match=said):
            prepare("t", *columns)
    with pytest.raises(QueryError, match="`tt` does not exist: create it first"):
        prepare("tt", "a")
    with pytest.raises(QueryError, match="Database nowhere does not exist: create it first, or is chdb://"):
        prepare("t", "a", place="nowhere")
