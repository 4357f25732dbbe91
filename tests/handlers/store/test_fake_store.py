"""The fake store: scripted, observable, and waiting without sleeping."""

import threading

import pytest

from millstream.handlers.store.errors import DataError, QueryError, StoreUnavailable
from millstream.handlers.store.protocols import LineFormat, Result
from millstream.handlers.testing import FakeStore
from millstream.router.errors import StateError


def test_window_of_none_stores_a_repeated_insert_twice():
    """Without a deduplication window a token protects nothing."""
    store = FakeStore(deduplication_window=0)

    for _ in range(2):
        store.insert_lines("t", ["a"], b"1\n2", "tok")

    assert store.rows("t") == [b"1", b"2", b"1", b"2"]


def test_token_is_forgotten_when_the_window_is_full():
    """The oldest token goes when a newer one needs its place."""
    store = FakeStore(deduplication_window=1)

    for token in ("one", "two", "one"):
        store.insert_lines("t", ["a"], b"1", token)

    assert [insert.is_stored for insert in store.inserts] == [True, True, True]


@pytest.mark.parametrize(
    ("block", "rows"),
    [
        pytest.param(b'{"a":1}\n\n{"a":2}\n', [b'{"a":1}', b'{"a":2}'], id="one a line"),
        pytest.param(b'{"a":"x\\ny"}', [b'{"a":"x\\ny"}'], id="an escaped newline"),
        pytest.param(b'{"a":"x\ny"}\n{"a":2}', [b'{"a":"x\ny"}', b'{"a":2}'], id="a raw newline in a string"),
        pytest.param(b'{\n "a": {"b": 1}\n}\n{"a":2}', [b'{\n "a": {"b": 1}\n}', b'{"a":2}'], id="indented"),
        pytest.param(b'{"a":"x}\n{\\""}\n{"a":2}', [b'{"a":"x}\n{\\""}', b'{"a":2}'], id="braces in a string"),
        pytest.param(b'{"a":1}, {"a":2} {"a":3}', [b'{"a":1}', b'{"a":2}', b'{"a":3}'], id="several a line"),
        pytest.param(b'{"a":1\nx y\n{"a":2}', [b'{"a":1', b"x y", b'{"a":2}'], id="no JSON"),
    ],
)
def test_a_row_is_an_object_however_many_lines_it_goes_over(block, rows):
    """As ClickHouse counts them; what is no object is a row by its line."""
    store = FakeStore()
    store.insert_lines("t", ["a"], block, "tok")

    assert store.rows() == rows


def test_a_row_of_several_lines_is_refused_as_one():
    """By its number among the rows, and whole."""
    store = FakeStore()
    store.refuse_lines(lambda line: line == b'{\n"a": 2\n}')

    with pytest.raises(DataError) as caught:
        store.insert_lines("t", ["a"], b'{\n"a": 1\n}\n{\n"a": 2\n}', "tok")
    assert caught.value.row == 2


def test_scripted_errors_come_in_order_and_none_lets_pass():
    """Each INSERT takes one entry of the script."""
    store = FakeStore()
    store.fail_next(None, StoreUnavailable("down"))

    store.insert_lines("t", ["a"], b"1", "one")
    with pytest.raises(StoreUnavailable):
        store.insert_lines("t", ["a"], b"2", "two")

    assert (store.rows(), store.insert_count()) == ([b"1"], 2)


def test_wait_ends_when_the_inserts_have_come():
    """A test can wait for another thread's INSERT without sleeping."""
    store = FakeStore()
    thread = threading.Thread(target=store.insert_lines, args=("t", ["a"], b"1", "tok"))
    thread.start()

    store.wait_for_inserts(1)

    thread.join()
    assert store.rows() == [b"1"]


def test_wait_for_what_does_not_come_times_out():
    """The error says how many came."""
    store = FakeStore()

    with pytest.raises(TimeoutError, match="0 INSERTs"):
        store.wait_for_inserts(1, timeout=0)


@pytest.mark.parametrize(
    ("line_format", "lines"),
    [
        pytest.param(LineFormat.TSV, b"1\tx\n", id="tsv"),
        pytest.param(LineFormat.CSV, b"1,x\n", id="csv"),
        pytest.param(LineFormat.JSONL, b'{"a":1,"b":"x"}\n', id="jsonl"),
    ],
)
def test_scripted_answers_can_be_queried_and_streamed(line_format, lines):
    """The same answer comes as rows and as lines."""
    store = FakeStore()
    store.answers["SELECT"] = Result(columns=("a", "b"), rows=[(1, "x")])

    streamed = b"".join(store.stream("SELECT", line_format))

    assert streamed == lines
    assert store.query("SELECT").rows == [(1, "x")]


def test_unscripted_query_is_refused():
    """A test that asks for what it did not script learns which statement it was."""
    with pytest.raises(QueryError, match="SELECT 2"):
        FakeStore().query("SELECT 2")


def test_closed_fake_refuses_every_call():
    """As with a real store, calls after close are a bug of the caller."""
    store = FakeStore()
    store.close()

    with pytest.raises(StateError):
        store.insert_lines("t", ["a"], b"1", "tok")
