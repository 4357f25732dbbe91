"""A table of one's own loses nothing: every message is a row or a record, whoever refuses some and however it is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.batching import BatchResult
from millstream.handlers.store import StoreUnavailable
from millstream.handlers.testing import FakeStore
from millstream.router import HaltedError
from tests.handlers.store.own_table_aids import (
    GOOD,
    LOCAL,
    SERVER,
    ForgetfulStore,
    consume,
    line,
    numbers,
    numbers_of,
    spread,
    table_in,
)


def by_store(table):
    """As the documentation says."""
    return lambda batch: table.store(batch, line)


def by_store_and_an_error_behind(table):
    """With something behind it that fails at first, so that the whole comes again."""
    seen = set()

    def process(batch):
        result = table.store(batch, line)
        if batch.token not in seen:
            seen.add(batch.token)
            raise ConnectionError("what comes behind the table is away")
        return result

    return process


def by_one_run(table):
    """With a plan of one's own, run once, made anew for each attempt: its parts have the tokens that they had."""
    return lambda batch: table.plan([each.message.payload for each in batch], batch.token).run()


def by_a_plan_that_is_kept(table):
    """With a plan that goes on where it was after an error."""

    def process(batch):
        if batch.progress is None:
            batch.progress = table.plan([each.message.payload for each in batch], batch.token)
        return batch.progress.run()

    return process


def by_one_run_that_names_what_was_refused(table):
    """With a result of one's own."""

    def process(batch):
        plan = table.plan([each.message.payload for each in batch], batch.token)
        plan.run()
        return BatchResult.all_but(plan.refused, batch)

    return process


def test_who_forgets_to_return_the_result_is_told_and_nothing_is_committed():
    """A function without `return` says that all is done: the refused rows would be neither stored nor set aside."""
    table = table_in(ForgetfulStore())

    def process(batch):
        table.store(batch, line)

    with pytest.raises(
        HaltedError, match=r"returned None.* but a table has not taken 1, 2 of 3: return the BatchResult"
    ):
        consume(process, [GOOD, LOCAL, SERVER])


def test_who_returns_nothing_for_a_batch_without_a_refusal_has_said_all():
    """There is nothing else to say."""
    store = ForgetfulStore()
    table = table_in(store)

    def process(batch):
        table.store(batch, line)

    poisoned, committed = consume(process, [GOOD] * 3)

    assert (len(store.rows()), poisoned, committed) == (3, [], 3)


def test_who_takes_care_of_refused_rows_may_say_that_they_are_done():
    """Such as by a second table, for what the first refuses."""
    store, rejects = ForgetfulStore(), FakeStore()
    table, other = table_in(store), table_in(rejects, table="rejects")

    def process(batch):
        refused = table.store(batch, line).failures
        other.store(batch, lambda each: b"rejected" if each.item.kind != GOOD else b"fine")
        assert refused
        return BatchResult(done=range(len(batch)))

    poisoned, committed = consume(process, [GOOD, LOCAL, SERVER])

    assert (len(store.rows()), rejects.rows(), poisoned, committed) == (1, [b"fine", b"rejected", b"rejected"], [], 3)


MAKES_LINES = [by_store, by_store_and_an_error_behind]
TAKES_PAYLOADS = [by_one_run, by_a_plan_that_is_kept, by_one_run_that_names_what_was_refused]


def kinds_for(way, kinds):
    """Who makes no lines refuses none: then the store has to."""
    return kinds if way in MAKES_LINES else [SERVER if kind == LOCAL else kind for kind in kinds]


@pytest.mark.parametrize("way", MAKES_LINES + TAKES_PAYLOADS)
def test_a_thousand_rows_of_which_two_hundred_are_refused_are_all_accounted_for(way):
    """Eight hundred are stored, two hundred in the DLQ, and all of them are committed."""
    store, kinds = ForgetfulStore(), kinds_for(way, spread(1000, 200))
    poisoned, committed = consume(way(table_in(store)), kinds, batch_size=1000)

    assert numbers(store.rows()) == numbers_of(kinds, GOOD)
    assert numbers(poisoned) == numbers_of(kinds, LOCAL, SERVER)
    assert (len(store.rows()), len(poisoned), committed) == (800, 200, 1000)


@pytest.mark.slow
@given(
    way=st.sampled_from(MAKES_LINES + TAKES_PAYLOADS),
    kinds=st.lists(st.sampled_from([GOOD, GOOD, GOOD, LOCAL, SERVER]), min_size=1, max_size=60),
    batch_size=st.integers(1, 80),
    loses=st.lists(st.booleans(), max_size=6),
    fails=st.lists(st.booleans(), max_size=6),
)
def test_every_message_is_a_row_or_a_record_however_the_table_is_called(way, kinds, batch_size, loses, fails):
    """For any batch size, any places of what is refused, and a store that is away or loses its answers."""
    store, kinds = ForgetfulStore(loses), kinds_for(way, kinds)
    store.fail_next(*(StoreUnavailable("away") if fail else None for fail in fails))
    poisoned, committed = consume(way(table_in(store)), kinds, batch_size=batch_size)

    assert numbers(store.rows()) == numbers_of(kinds, GOOD)
    assert numbers(poisoned) == numbers_of(kinds, LOCAL, SERVER)
    assert committed == len(kinds)
