"""Python objects into an embedded store: each value as the type of its column, and a reason for each that is none."""

import datetime
import decimal
import uuid

import pytest

from millstream.handlers.batching import Batch, BatchMessage
from millstream.handlers.store import ClickHouseTable, QueryError
from millstream.router import ConfigurationError, Message

TYPES = {
    "id": "UInt32",
    "small": "UInt8",
    "name": "String",
    "at": "DateTime64(3, 'UTC')",
    "day": "Date",
    "price": "Decimal(9, 2)",
    "tags": "Array(String)",
    "counts": "Map(String, Int32)",
    "maybe": "Nullable(Int32)",
    "ratio": "Float64",
    "key": "UUID",
    "is_on": "Bool",
    "state": "Enum8('new' = 1, 'it\\'s, (done)' = 2)",
    "states": "Array(Enum8('new' = 1))",
    "city": "LowCardinality(String)",
}
GOOD = {
    "id": 1,
    "small": 2,
    "name": "n",
    "at": datetime.datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
    "day": datetime.date(2026, 1, 2),
    "price": decimal.Decimal("1.23"),
    "tags": ["a", "b"],
    "counts": {"k": 1},
    "maybe": None,
    "ratio": 0.5,
    "key": uuid.UUID(int=7),
    "is_on": True,
    "state": "it's, (done)",
    "states": ["new"],
    "city": "c",
}


@pytest.fixture
def table(chdb_store, database):
    """A table with a column of each of many types, of which one of them is left to its default."""
    columns = ", ".join(f"`{name}` {kind}" for name, kind in TYPES.items())
    chdb_store.command(
        f"CREATE TABLE `{database}`.`t` ({columns}, seen UInt8 DEFAULT 9, CONSTRAINT named CHECK name != 'refused')"
        " ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100"
    )
    return ClickHouseTable(chdb_store, database=database, table="t", columns=list(TYPES))


def write(table, *rows):
    """Write a message for each of *rows* by a new batch; returns the result, and the batch."""
    batch = Batch(BatchMessage(Message(b""), {**GOOD, "id": place, **row}) for place, row in enumerate(rows))
    return table.writer(lambda each: each.item)(batch), batch


def stored(store, table, what="id"):
    """What the table holds, by id."""
    return store.query(f"SELECT {what} FROM {table.full_name} ORDER BY id").rows


def test_every_value_is_that_of_its_type(chdb_store, table):
    """Times in UTC and cut to what the column keeps; a column that is not named takes its default."""
    table.writer(lambda each: each.item).prepare()
    result, _ = write(table, {})

    assert list(result.done) == [0]
    [row] = stored(chdb_store, table, ", ".join((*TYPES, "seen")))
    at = datetime.datetime(2026, 1, 2, 1, 4, 5, 678000)
    assert row == (*{**GOOD, "id": 0, "at": at}.values(), 9)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("small", 300, "column `small` is UInt8, and this int does not fit"),
        ("small", "seven", "column `small` is UInt8, and this str does not fit"),
        ("id", -1, "column `id` is UInt32, and this int does not fit"),
        ("name", None, "column `name` is String, and this NoneType does not fit"),
        ("name", 5, "column `name` is String, and this int does not fit"),
        ("at", "soon", "column `at` is DateTime64(3, 'UTC'), and this str does not fit"),
        ("day", datetime.date(1800, 1, 1), "column `day` is Date, and this date does not fit"),
        ("price", "much", "column `price` is Decimal(9, 2), and this str does not fit"),
        ("tags", 1, "column `tags` is Array(String), and this int does not fit"),
        ("tags", [1], "column `tags` is Array(String), and this list does not fit"),
        ("counts", [("k", 1)], "column `counts` is Map(String, Int32), and this list does not fit"),
        ("maybe", 2**40, "column `maybe` is Nullable(Int32), and this int does not fit"),
        ("key", "no uuid", "column `key` is UUID, and this str does not fit"),
        ("key", None, "column `key` is UUID, and this NoneType does not fit"),
        ("is_on", None, "column `is_on` is Bool, and this NoneType does not fit"),
        ("state", "old", "Unknown element '…' for enum"),
        ("state", 2, "and this int does not fit"),
        ("states", ["old"], "Unknown element '…' for enum"),
        ("name", "refused", "Constraint `named`"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_that_is_none_of_its_type_refuses_its_message_alone(chdb_store, table, column, value, said):
    """Whoever finds it, the driver or the engine; the reason names the column, and shows no value."""
    result, _ = write(table, {}, {column: value}, {})

    assert (list(result.done), list(result.failures)) == ([0, 2], [1])
    assert said in str(result.failures[1])
    assert len(stored(chdb_store, table)) == 2


@pytest.mark.parametrize(
    ("column", "value", "kept"),
    [
        ("price", decimal.Decimal("1.239"), decimal.Decimal("1.23")),
        ("small", "7", 7),
        ("small", 1.9, 1),
        ("at", 1767323045678, datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)),
    ],
    ids=["too many digits", "text for a number", "float for an integer", "ticks for a time"],
)
def test_what_the_driver_takes_is_stored_as_the_page_says(chdb_store, table, column, value, kept):
    """Alone, or beside others of its type: in docs/own-tables.md."""
    result, _ = write(table, {column: value}, {column: value})

    assert (list(result.done), stored(chdb_store, table, column)) == ([0, 1], [(kept,)] * 2)


def test_values_of_several_types_go_by_as_many_inserts(chdb_store, table):
    """The driver reads a column as the type of its first value: nobody is refused for what others have sent."""
    before = chdb_store.insert_count()
    result, _ = write(table, *({"at": at, "price": 1} for at in [GOOD["at"], "2026-01-02T01:04:05.678Z"] * 50))

    assert len(result.done) == 100
    assert stored(chdb_store, table, "at") == [(datetime.datetime(2026, 1, 2, 1, 4, 5, 678000),)] * 100
    assert chdb_store.insert_count() - before == 2


def test_a_repeated_batch_is_known_by_its_token_and_a_new_one_is_not(chdb_store, table):
    """So rows that were deleted and are written again come back."""
    _, batch = write(table, {}, {})
    batch.plans.clear()
    table.writer(lambda each: each.item)(batch)
    assert len(stored(chdb_store, table)) == 2

    chdb_store.command(f"TRUNCATE TABLE {table.full_name}")
    write(table, {}, {})
    assert len(stored(chdb_store, table)) == 2


def test_a_column_that_was_altered_meanwhile_takes_its_new_type(chdb_store, table):
    """The types are asked for again before anybody is refused for one."""
    write(table, {})
    chdb_store.command(f"ALTER TABLE {table.full_name} MODIFY COLUMN counts String")
    result, _ = write(table, {"id": 5, "counts": "many"}, {"id": 6, "counts": "more"})

    assert list(result.done) == [0, 1]
    assert stored(chdb_store, table, "counts")[-1] == ("more",)


def test_what_no_object_can_be_written_as_is_no_messages_fault(chdb_store, database):
    """The batch waits for somebody to mend the table."""
    chdb_store.command(
        f"CREATE TABLE `{database}`.`sums` (id UInt8, total AggregateFunction(sum, UInt8))"
        " ENGINE = AggregatingMergeTree ORDER BY id"
    )
    table = ClickHouseTable(chdb_store, database=database, table="sums", columns=["id", "total"])
    batch = Batch([BatchMessage(Message(b""), (1, 1))])

    with pytest.raises(ConfigurationError, match="AggregateFunction"):
        table.writer(lambda each: each.item)(batch)


def test_a_missing_table_and_a_missing_column_end_the_start_and_say_what_to_do(chdb_store, database, table):
    """In a line."""
    columns = {"none": ["id"], "t": ["id", "nmae"]}
    said = {"none": "does not exist: create it first", "t": "has no column `nmae`; it has id, small"}
    for name, error in {"none": QueryError, "t": ConfigurationError}.items():
        wrong = ClickHouseTable(chdb_store, database=database, table=name, columns=columns[name])
        for writer in (wrong.writer(), wrong.writer(lambda each: each.item)):
            with pytest.raises(error) as told:
                writer.prepare()
            assert said[name] in str(told.value)
            assert "\n" not in str(told.value)
