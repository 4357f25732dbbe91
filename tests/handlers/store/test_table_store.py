"""What a table makes of one batch of messages: rows, tokens, an outcome for each, and what it keeps between attempts."""

import functools

import pytest

from millstream.handlers.batching import Batch, BatchMessage
from millstream.handlers.store import StoreUnavailable, UnknownOutcome
from millstream.handlers.testing import FakeStore
from millstream.router import (
    Cancelled,
    ConfigurationError,
    HaltedError,
    Message,
    PermanentError,
    StateError,
    TransientError,
)
from tests.handlers.store.own_table_aids import GOOD, LOCAL, SERVER, ForgetfulStore, Row, line, numbers, table_in


def batch_of(kinds):
    """A batch with a row of each of *kinds*."""
    return Batch(BatchMessage(Message(b"", uuid=str(number)), Row(number, kind)) for number, kind in enumerate(kinds))


def test_a_batch_is_one_insert_under_its_token_and_all_of_it_is_done():
    """In fair weather."""
    store, batch = FakeStore(), batch_of([GOOD] * 5)
    result = table_in(store).store(batch, line)

    assert [(insert.token, len(insert.lines)) for insert in store.inserts] == [(batch.token, 5)]
    assert (result.done, result.failures, result.left) == (range(5), {}, ())


def test_a_message_whose_line_raises_is_refused_with_that_error_and_the_others_are_stored():
    """Its place is that in the batch, and so are those of what the store refuses behind it."""
    store = ForgetfulStore()
    result = table_in(store).store(batch_of([LOCAL, GOOD, LOCAL, SERVER, GOOD]), line)

    assert {place: type(error).__name__ for place, error in result.failures.items()} == {
        0: "ValueError",
        2: "ValueError",
        3: "DataError",
    }
    assert str(result.failures[2]) == "row 2 has no line"
    assert (list(result.done), numbers(store.rows())) == ([1, 4], [1, 4])


def test_a_batch_of_which_nothing_has_a_line_sends_nothing():
    """All of it is refused."""
    store = FakeStore()
    result = table_in(store).store(batch_of([LOCAL] * 3), line)

    assert (sorted(result.failures), list(result.done), store.inserts) == ([0, 1, 2], [], [])


@pytest.mark.parametrize("empty", [b"", b"\n", b"  "])
def test_an_empty_line_is_no_row_and_so_a_refusal(empty):
    """It would count as stored with nothing of it in the table."""
    store = FakeStore()
    result = table_in(store).store(batch_of([GOOD] * 2), lambda each: empty if each.item.number else b"{}")

    assert (list(result.failures), list(result.done), store.rows()) == ([1], [0], [b"{}"])
    assert isinstance(result.failures[1], PermanentError)


def test_a_line_break_at_the_end_of_a_line_is_no_row():
    """As those that write lines leave it there."""
    store = FakeStore()
    table_in(store).store(batch_of([GOOD] * 2), lambda each: b"{}\n{}\n")

    assert store.inserts[0].lines == (b"{}",) * 4


@pytest.mark.parametrize("wrong", ["{}", None, {"number": 1}])
def test_a_line_that_is_no_bytes_is_the_programs_fault(wrong):
    """Nobody's message is refused for it, nothing is sent, and a batcher halts at once: no waiting mends it."""
    store = FakeStore()
    with pytest.raises(HaltedError, match=r"line must return bytes.*but returned (str|NoneType|dict)"):
        table_in(store).store(batch_of([GOOD] * 2), lambda each: wrong if each.item.number else b"{}")

    assert store.inserts == []


@pytest.mark.parametrize(
    "error",
    [
        TransientError("away"),
        ConnectionError("gone"),
        ConfigurationError("wrong"),
        StateError("late"),
        HaltedError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_the_surroundings_refuses_no_message(error):
    """It passes through, nothing is sent, and the batch comes again."""
    store, batch = FakeStore(), batch_of([GOOD])

    def fail(each):
        raise error

    with pytest.raises(type(error)):
        table_in(store).store(batch, fail)
    assert store.inserts == []
    assert list(table_in(store).store(batch, line).done) == [0]


def test_being_called_off_refuses_no_message():
    """A shutdown in a line is no word on its message."""

    def fail(each):
        raise Cancelled

    with pytest.raises(Cancelled):
        table_in(FakeStore()).store(batch_of([GOOD]), fail)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), UnknownOutcome("no answer")])
def test_after_an_error_the_same_bytes_go_again_under_the_same_token(error):
    """The lines are not made again: they may say what time it is."""
    store, batch, made = FakeStore(), batch_of([GOOD] * 3), []
    store.fail_next(error)
    table = table_in(store)

    def numbered(each):
        made.append(each)
        return b"%d" % len(made)

    with pytest.raises(type(error)):
        table.store(batch, numbered)
    table.store(batch, numbered)

    assert len(made) == 3
    assert len({(insert.token, insert.lines) for insert in store.inserts}) == 1
    assert table.inserts(batch) == len(store.inserts) == 2


def test_a_batch_that_is_stored_is_not_sent_again():
    """What comes behind the table may fail, and the whole be called again."""
    store, batch = ForgetfulStore(), batch_of([GOOD, SERVER, LOCAL])
    table = table_in(store)
    first = table.store(batch, line)
    before = len(store.inserts)
    again = table.store(batch, line)

    assert again == first
    assert len(store.inserts) == before


def test_another_object_for_the_same_table_goes_on_with_the_batch():
    """One made in `process_batch` itself knows the batch as well."""
    store, batch = FakeStore(), batch_of([GOOD] * 2)
    store.fail_next_after_storing(UnknownOutcome("no answer"))
    with pytest.raises(UnknownOutcome):
        table_in(store).store(batch, line)
    result = table_in(store).store(batch, line)

    assert (list(result.done), len(store.rows())) == ([0, 1], 2)
    assert table_in(store).inserts(batch) == 2


def test_a_batch_goes_into_two_tables_each_in_its_time():
    """Each has its own rows of it, under the token of the batch."""
    store, batch = FakeStore(), batch_of([GOOD] * 2)
    table_in(store).store(batch, line)
    table_in(store, table="other").store(batch, lambda each: b"{}")

    assert store.rows("`m`.`other`") == [b"{}", b"{}"]
    assert numbers(store.rows("`m`.`rows`")) == [0, 1]


def test_other_rows_of_the_same_batch_in_the_same_table_are_refused():
    """The table would drop them silently, as it has their token."""
    store, batch = FakeStore(), batch_of([GOOD] * 2)
    table = table_in(store)
    table.store(batch, line)

    with pytest.raises(HaltedError, match=r"`m`\.`rows`: a batch goes into a table once"):
        table.store(batch, lambda each: b"{}")


def test_a_function_made_anew_for_each_attempt_is_the_same_line():
    """As a `lambda` in `process_batch` is."""
    store, batch = FakeStore(), batch_of([GOOD] * 2)
    store.fail_next(StoreUnavailable("away"))
    table = table_in(store)

    def process(batch):
        return table.store(batch, lambda each: line(each))

    with pytest.raises(StoreUnavailable):
        process(batch)

    assert list(process(batch).done) == [0, 1]


class Kind:
    """What makes rows of one kind: instances that share their code."""

    def __init__(self, kind):
        self._kind = kind

    def __call__(self, each):
        """Make a row."""
        return row_of(self._kind, each)

    def row(self, each):
        """Make the same row."""
        return row_of(self._kind, each)


def row_of(kind, each):
    """Return a row of some kind."""
    return b'{"number":%d,"kind":"%s"}' % (each.item.number, kind)


def closure(kind):
    """Return a function that refers to *kind*."""

    def made(each):
        return row_of(kind, each)

    return made


def closure_too_early(kind):
    """Return a function that refers to what is not there yet."""

    def made(each):
        return row_of(kind, each) if each is not None else later

    if kind is None:
        later = kind
    return made


FACTORIES = {
    "a closure": closure,
    "a closure over nothing yet": closure_too_early,
    "a lambda with a default": lambda kind: lambda each, kind=kind: row_of(kind, each),
    "a partial": lambda kind: functools.partial(row_of, kind),
    "a partial by name": lambda kind: functools.partial(lambda each, kind: row_of(kind, each), kind=kind),
    "an instance": Kind,
    "a method": lambda kind: Kind(kind).row,
}


@pytest.mark.parametrize("make", FACTORIES.values(), ids=FACTORIES)
def test_another_line_of_the_same_factory_is_refused(make):
    """It makes other rows, of which the table would keep none."""
    store, batch = FakeStore(), batch_of([GOOD] * 2)
    table = table_in(store)
    table.store(batch, make(b"debit"))

    with pytest.raises(HaltedError, match="a batch goes into a table once"):
        table.store(batch, make(b"credit"))


@pytest.mark.parametrize("make", FACTORIES.values(), ids=FACTORIES)
@pytest.mark.parametrize("fails", ["the table", "what follows"])
def test_a_line_of_the_same_factory_is_the_same_in_another_attempt(make, fails):
    """Whatever it refers to then: its rows were made at the first attempt."""
    store, batch = FakeStore(), batch_of([GOOD] * 2)
    table, kinds = table_in(store), iter((b"first", b"second"))
    if fails == "the table":
        store.fail_next(StoreUnavailable("away"))
        with pytest.raises(StoreUnavailable):
            table.store(batch, make(next(kinds)))
    else:
        table.store(batch, make(next(kinds)))
        batch.attempts += 1

    again = make(next(kinds))
    assert list(table.store(batch, again).done) == [0, 1]
    assert list(table.store(batch, again).done) == [0, 1]  # the very same one, in this attempt too
    assert [b"first" in each for each in store.rows("`m`.`rows`")] == [True, True]


def test_partitions_cut_a_batch_and_what_has_none_is_refused():
    """A message for which nobody can say its partition is no reason to leave the others out."""
    store, batch = FakeStore(), batch_of([GOOD] * 210)

    def partition(each):
        if each.item.number == 5:
            raise ZeroDivisionError
        return each.item.number

    result = table_in(store).store(batch, line, partition=partition)

    assert (list(result.failures), len(result.done)) == ([5], 209)
    assert isinstance(result.failures[5], ZeroDivisionError)
    assert [len(insert.lines) for insert in store.inserts] == [100, 100, 9]


def test_what_the_store_refuses_is_tried_in_canonical_form_first():
    """By the message at its place in the batch; where that form cannot be made the store has said what counts."""
    store = ForgetfulStore()

    def canonical(each):
        if each.item.number == 3:
            raise ValueError("no form")
        return b"mended %d" % each.item.number

    result = table_in(store).store(batch_of([LOCAL, GOOD, SERVER, SERVER]), line, rewrite=canonical)

    assert sorted(result.failures) == [0, 3]
    assert store.rows() == [b"mended 1", b"mended 2"]


def test_refused_rows_are_reported_while_a_batch_is_taken_apart_where_they_stand(log_lines):
    """What `line` has refused comes between its neighbours, so that a storm is judged by what was done before."""
    kinds = [LOCAL, GOOD, *[SERVER, LOCAL] * 70, GOOD, LOCAL]
    batch, told = batch_of(kinds), []
    batch.listener = lambda _, outcomes: told.extend(outcomes) or True
    result = table_in(ForgetfulStore()).store(batch, line)

    assert [place for place, _ in told] == list(range(len(told)))
    assert {place for place, error in told if error is not None} == {
        place for place, kind in enumerate(kinds[: len(told)]) if kind != GOOD
    }
    assert len(told) > 120
    assert {*result.done, *result.failures} == set(range(len(kinds)))
    (warning,) = [each for each in log_lines if each.startswith("WARNING")]
    assert "isolating refused rows takes long: 64 so far, in" in warning


def test_a_batch_that_is_given_up_says_of_each_message_what_is_known():
    """What the sink was not told of when the router halted stays open, whoever refused it."""
    kinds = [LOCAL, *[SERVER, LOCAL] * 100]
    batch, told = batch_of(kinds), {}
    batch.listener = lambda _, outcomes: bool(told.update(outcomes))
    result = table_in(ForgetfulStore()).store(batch, line)

    assert set(result.failures) == set(told)
    assert sorted([*result.done, *result.failures, *result.left]) == list(range(len(kinds)))
    assert result.left


def test_another_attempt_goes_on_with_what_one_has_left():
    """Such as after an error of what comes behind the table: what is stored then may be called done."""
    batch, goes_on = batch_of([SERVER] * 100), iter([False])
    batch.listener = lambda _, outcomes: bool(list(outcomes)) and next(goes_on, True)
    table = table_in(ForgetfulStore())
    first, second = table.store(batch, line), table.store(batch, line)

    assert 0 < len(first.left) < 100
    assert (sorted(second.failures), batch.left) == (list(range(100)), set())


def test_a_sequence_that_is_no_batch_is_stored_under_a_token_of_its_own():
    """Such as that of a test."""
    store = FakeStore()
    result = table_in(store).store(list(batch_of([GOOD])), line)

    assert list(result.done) == [0]
    assert len(store.inserts[0].token) == 32
