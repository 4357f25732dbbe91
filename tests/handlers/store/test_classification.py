"""Which error class a failure gets."""

import pytest

from millstream.handlers import ClickHouseTable
from millstream.handlers.store.classification import (
    CONFIGURATION_CODES,
    DATA_CODES,
    HALFWAY_CODES,
    UNAVAILABLE_CODES,
    Exchange,
    classify_insert,
    classify_query,
)
from millstream.handlers.store.errors import (
    DataError,
    QueryError,
    ShapeError,
    ShardRefused,
    StoreMisconfigured,
    StoreUnavailable,
    UnknownOutcome,
    ViewFailed,
)


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        pytest.param(26, "", DataError, id="text that is no JSON"),
        pytest.param(41, "", DataError, id="time that cannot be read"),
        pytest.param(117, "", DataError, id="duplicate key"),
        pytest.param(306, "", DataError, id="nested too deep"),
        pytest.param(469, "", DataError, id="constraint"),
        pytest.param(
            252,
            "Too many partitions for single INSERT block (more than 100). The limit is controlled by ...",
            ShapeError,
            id="252 that means this INSERT",
        ),
        pytest.param(
            252,
            "Too many parts (400) in all partitions in total in table 'm.t'. This indicates wrong choice of partition key",
            StoreUnavailable,
            id="252 that means the whole table",
        ),
        pytest.param(
            252,
            "Too many parts (300). Merges are processing significantly slower than inserts",
            StoreUnavailable,
            id="252 that means merges are behind",
        ),
        pytest.param(241, "Query memory limit exceeded: would use 10 GiB", ShapeError, id="memory of this INSERT"),
        pytest.param(241, "(total) memory limit exceeded", StoreUnavailable, id="memory of the whole server"),
        pytest.param(241, "User memory limit exceeded: would use 1 GiB", StoreUnavailable, id="memory of the user"),
        pytest.param(241, "Memory limit (for user) exceeded", StoreUnavailable, id="memory of the user, earlier"),
        pytest.param(
            241,
            "Memory limit exceeded. OvercommitTracker decision: Query was selected to stop by OvercommitTracker",
            StoreUnavailable,
            id="stopped for the sake of others",
        ),
        pytest.param(33, "", DataError, id="object that ends too early"),
        pytest.param(153, "", DataError, id="division by zero in a constraint"),
        pytest.param(395, "", DataError, id="throwIf in a default"),
        pytest.param(307, "", ShapeError, id="too many bytes"),
        pytest.param(202, "", StoreUnavailable, id="too many queries"),
        pytest.param(243, "", UnknownOutcome, id="disk full, maybe behind the first partitions"),
        pytest.param(242, "", UnknownOutcome, id="table read-only for now"),
        pytest.param(745, "", StoreUnavailable, id="overloaded"),
        pytest.param(159, "", UnknownOutcome, id="deadline in the store"),
        pytest.param(209, "", UnknownOutcome, id="socket timeout inside the cluster"),
        pytest.param(319, "", UnknownOutcome, id="store does not know either"),
        pytest.param(691, "", DataError, id="no such value of an enum"),
        pytest.param(60, "", StoreMisconfigured, id="no such table"),
        pytest.param(16, "", StoreMisconfigured, id="no such column"),
        pytest.param(497, "", StoreMisconfigured, id="no right to insert"),
        pytest.param(516, "", StoreMisconfigured, id="wrong password"),
        pytest.param(99_999, "", UnknownOutcome, id="code of no table"),
    ],
)
def test_insert_is_classed_by_what_the_store_answered(code, text, expected):
    """The code decides, and where one code means two things the text does."""
    kind = classify_insert(code, text)

    assert kind is expected


IN_A_VIEW = ": while pushing to view d.v. (SOME_ERROR)"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        *((code, "") for code in sorted(DATA_CODES | CONFIGURATION_CODES)),
        pytest.param(252, "Too many partitions for single INSERT block (more than 100)", id="its own partitions"),
        pytest.param(241, "Query memory limit exceeded: would use 10 GiB", id="memory"),
        pytest.param(307, "", id="too many bytes"),
        pytest.param(395, "Value passed to 'throwIf' function is non-zero", id="what the view was made to raise"),
        pytest.param(99_999, "", id="code of no table"),
    ],
)
def test_view_is_to_blame_whatever_its_code(code, text):
    """Its table has taken the rows: no row is bad, and halves under other tokens would be stored once more."""
    kind = classify_insert(code, text + IN_A_VIEW)

    assert kind is ViewFailed


@pytest.mark.parametrize(
    ("code", "text"),
    [
        *((code, "") for code in sorted(UNAVAILABLE_CODES | HALFWAY_CODES)),
        pytest.param(252, "Too many parts (300). Merges are processing significantly slower than inserts", id="parts"),
        pytest.param(241, "(total) memory limit exceeded", id="memory of the whole server"),
        pytest.param(159, "", id="deadline in the store"),
        pytest.param(209, "", id="network inside the cluster"),
    ],
)
def test_what_passes_in_a_view_is_waited_out(code, text):
    """Nobody has to mend it, and it does not say that nothing was stored."""
    kind = classify_insert(code, text + IN_A_VIEW)

    assert kind is UnknownOutcome


SHARD = "Wrote 1 blocks and 2 rows on shard {} replica 0, 127.0.0.1:9000 (average 1 ms per block)\n"
ONE_SHARD = f": Insertion status:\n{SHARD.format(0)}. (SOME_ERROR)"
TWO_SHARDS = f": Insertion status:\n{SHARD.format(0)}{SHARD.format(1)}. (SOME_ERROR)"


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        *((code, "", ShardRefused) for code in sorted(DATA_CODES | CONFIGURATION_CODES)),
        pytest.param(252, "Too many partitions for single INSERT block", ShardRefused, id="its own partitions"),
        pytest.param(241, "Query memory limit exceeded: would use 10 GiB", ShardRefused, id="memory"),
        *((code, "", UnknownOutcome) for code in sorted(UNAVAILABLE_CODES | HALFWAY_CODES)),
        pytest.param(210, "Connection refused (127.0.0.1:1)", UnknownOutcome, id="network inside the cluster"),
        pytest.param(279, "All connection tries failed", UnknownOutcome, id="code of no table"),
        pytest.param(72, "x: while pushing to view d.v", ViewFailed, id="a view of the shard"),
    ],
)
def test_what_one_shard_refuses_blames_no_row(code, text, expected):
    """The others may have taken theirs: halves under other tokens would be stored there once more."""
    kind = classify_insert(code, text + TWO_SHARDS)

    assert kind is expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param(469, DataError, id="data"),
        pytest.param(307, ShapeError, id="shape"),
        pytest.param(60, StoreMisconfigured, id="configuration"),
    ],
)
def test_a_table_on_one_shard_refuses_like_that_shard(code, expected):
    """Nobody else has taken anything: bad rows are found, and what is too much is split."""
    kind = classify_insert(code, ONE_SHARD)

    assert kind is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(429, StoreUnavailable, id="too many requests"),
        pytest.param(503, StoreUnavailable, id="service unavailable"),
        pytest.param(502, UnknownOutcome, id="bad gateway"),
        pytest.param(504, UnknownOutcome, id="gateway timeout"),
        pytest.param(401, StoreMisconfigured, id="not logged in at a proxy"),
        pytest.param(413, ShapeError, id="too large for a proxy"),
        pytest.param(500, UnknownOutcome, id="anything else"),
    ],
)
def test_insert_without_a_code_is_classed_by_its_status(status, expected):
    """An answer of a proxy in between carries no ClickHouse code; its status decides."""
    kind = classify_insert(None, status=status)

    assert kind is expected


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        pytest.param(Exchange.NEVER_SENT, StoreUnavailable, id="no connection"),
        pytest.param(Exchange.INTERRUPTED, UnknownOutcome, id="no answer"),
        pytest.param(Exchange.REFUSED_BY_DRIVER, StoreMisconfigured, id="not sent by the driver"),
    ],
)
def test_insert_without_an_answer_is_unknown_only_if_it_was_sent(exchange, expected):
    """What never left is known not to be stored; what left and got no answer is unknown."""
    kind = classify_insert(None, exchange=exchange)

    assert kind is expected


@pytest.mark.parametrize(
    ("code", "status", "exchange", "expected"),
    [
        pytest.param(62, None, Exchange.ANSWERED, QueryError, id="wrong SQL"),
        pytest.param(164, None, Exchange.ANSWERED, QueryError, id="writes in read-only mode"),
        pytest.param(241, None, Exchange.ANSWERED, QueryError, id="needs too much memory"),
        pytest.param(None, None, Exchange.ANSWERED, QueryError, id="no code and no status"),
        pytest.param(516, None, Exchange.ANSWERED, StoreMisconfigured, id="wrong password"),
        pytest.param(None, 403, Exchange.ANSWERED, StoreMisconfigured, id="not let in by a proxy"),
        pytest.param(202, None, Exchange.ANSWERED, StoreUnavailable, id="too many queries"),
        pytest.param(210, None, Exchange.ANSWERED, StoreUnavailable, id="network inside the cluster"),
        pytest.param(None, 503, Exchange.ANSWERED, StoreUnavailable, id="busy proxy"),
        pytest.param(None, None, Exchange.NEVER_SENT, StoreUnavailable, id="no connection"),
        pytest.param(None, None, Exchange.INTERRUPTED, StoreUnavailable, id="no answer"),
        pytest.param(None, None, Exchange.REFUSED_BY_DRIVER, QueryError, id="not sent by the driver"),
    ],
)
def test_query_is_the_users_fault_unless_the_store_cannot_answer(code, status, exchange, expected):
    """A refused statement is wrong SQL; only the store's own trouble and a refused login are something else."""
    kind = classify_query(code, status=status, exchange=exchange)

    assert kind is expected


@pytest.mark.parametrize("text", ["(total) memory limit exceeded", "User memory limit exceeded"])
def test_query_that_meets_a_server_without_memory_may_be_asked_again(text):
    """Nobody has to mend the statement, or the settings."""
    assert classify_query(241, text) is StoreUnavailable
    assert classify_query(241, "Query memory limit exceeded") is QueryError


def test_no_code_is_in_two_lists():
    """Each code has one meaning at most."""
    lists = (DATA_CODES, UNAVAILABLE_CODES, HALFWAY_CODES, CONFIGURATION_CODES)

    assert len(frozenset().union(*lists)) == sum(map(len, lists))


def test_codes_bear_the_names_they_are_listed_under(chdb_store):
    """The engine's own table confirms that the data codes are about reading values or about constraints."""
    codes = ", ".join(map(str, sorted(DATA_CODES)))

    rows = chdb_store.query(f"SELECT errorCodeToName(arrayJoin([{codes}]))").rows

    words = ("PARSE", "CONVERT", "RANGE", "BOUND", "MISMATCH", "INCORRECT_DATA", "CONSTRAINT", "NULL", "SIZE")
    others = {name for (name,) in rows if not any(word in name for word in words)}
    assert others == {
        "CANNOT_READ_ALL_DATA",
        "CANNOT_READ_ARRAY_FROM_TEXT",
        "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO",
        "ILLEGAL_DIVISION",
        "TOO_DEEP_RECURSION",
        "DECIMAL_OVERFLOW",
        "UNKNOWN_ELEMENT_OF_ENUM",
    }


@pytest.mark.parametrize(
    ("columns", "bad"),
    [
        pytest.param("n Int32, CONSTRAINT share CHECK intDiv(10, n) > 0", b'{"n":0}', id="division in a constraint"),
        pytest.param("n Int32, m Int32 MATERIALIZED intDiv(10, n)", b'{"n":0}', id="division in a computed column"),
        pytest.param("n Int32, CONSTRAINT wanted CHECK throwIf(n = 0) = 0", b'{"n":0}', id="throwIf in a constraint"),
        pytest.param("n Int32", b'{"n":0', id="an object that ends too early"),
    ],
)
def test_row_that_the_engine_refuses_leaves_its_neighbours(chdb_store, database, columns, bad):
    """Whatever the engine calls it: the others are stored, and it has its reason."""
    chdb_store.command(f"CREATE TABLE `{database}`.t ({columns}) ENGINE = MergeTree ORDER BY tuple()")
    table = ClickHouseTable(chdb_store, database=database, table="t", columns=["n"])

    outcome = table.plan([b'{"n":1}', b'{"n":2}', bad], "token").run()

    assert (list(outcome.done), list(outcome.failures)) == ([0, 1], [2])
    assert isinstance(outcome.failures[2], DataError)
    assert chdb_store.query(f"SELECT n FROM `{database}`.t ORDER BY n").rows == [(1,), (2,)]
