"""Rows of Python objects as blocks: types as the engine names them, and whose value does not fit."""

import pytest
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.insert import InsertContext

from millstream.handlers.store import DataError
from millstream.handlers.store.row_blocks import RowBlocks


class Client:
    """Knows how to write values of types, and asks nobody."""

    def create_insert_context(self, table, names, *, column_type_names):
        """Return what the driver does."""
        self.types = column_type_names
        return InsertContext(table, names, [get_from_name(name) for name in column_type_names])


def blocks_of(**types):
    """Blocks of columns of these types."""
    return RowBlocks(Client(), "`m`.`t`", types)


def test_a_block_is_what_the_format_native_says():
    """Columns and rows, then each column: its name, its type, its values."""
    assert blocks_of(a="UInt8", b="String").make([(7, "x"), (8, "yz")]) == (
        b"\x02\x02" + b"\x01a\x05UInt8\x07\x08" + b"\x01b\x06String\x01x\x02yz"
    )


def test_a_large_block_is_one():
    """So that the engine counts its rows from the first one of the INSERT."""
    block = blocks_of(a="String").make([("x" * 1000,)] * 5000)

    assert block.startswith(b"\x01\x88\x27\x01a\x06String")
    assert len(block) > 5_000_000
    assert block.count(b"\x01a\x06String") == 1


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("Enum8('a' = 1, 'b' = 2)", "String"),
        (r"Enum16('it\'s (x), \\' = -1, 'b' = 2)", "String"),
        ("Nullable(Enum8('a' = 1))", "Nullable(String)"),
        ("Map(Enum8('a' = 1), Array(Enum8('b' = 1)))", "Map(String, Array(String))"),
        ("UInt8", "UInt8"),
    ],
)
def test_an_enumeration_is_written_as_text(kind, written):
    """The driver writes a name that it has not as 0, which no query can read."""
    client = Client()
    RowBlocks(client, "`m`.`t`", {"e": kind})

    assert client.types == [written]


@pytest.mark.parametrize(
    "kind", ["UUID", "Bool", "IPv6", "Time", "Time64(3)", "UInt8", "String", "Date", "Enum8('a' = 1)"]
)
def test_none_is_refused_where_the_column_takes_none(kind):
    """Also by those types of which the driver would write zero."""
    with pytest.raises(DataError, match=r"column `c` is .*, and this NoneType does not fit"):
        blocks_of(a="UInt8", c=kind).make([(1, None)])


@pytest.mark.parametrize("kind", ["Nullable(UUID)", "Nullable(Bool)", "LowCardinality(Nullable(String))"])
def test_none_is_taken_where_the_column_is_nullable(kind):
    """As it is."""
    assert blocks_of(c=kind).make([(None,)])


def test_of_many_rows_nobody_is_named_and_no_value_is_shown():
    """It is the caller's to find out which it is."""
    with pytest.raises(DataError) as told:
        blocks_of(a="UInt8", b="String").make([(1, "a"), (300, "secret"), (2, "b")])

    assert str(told.value) == "column `a` is UInt8, and a value does not fit"
    assert told.value.row is None


def test_a_type_that_no_object_can_be_written_as_is_no_rows_fault():
    """The driver says so."""
    with pytest.raises(Exception, match="AggregateFunction") as told:
        blocks_of(a="AggregateFunction(sum, UInt8)").make([(1,)])

    assert not isinstance(told.value, DataError)


def test_the_log_of_the_driver_has_no_value(caplog):
    """It would log a traceback for each attempt to find the row."""
    with pytest.raises(DataError):
        blocks_of(a="UInt8").make([("secret",)])

    assert caplog.records == []
