"""Batches on their way into a table, in fair weather and foul."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.handlers.store import ClickHouseTable
from millstream.handlers.store.errors import (
    DataError,
    ShapeError,
    ShardRefused,
    StoreMisconfigured,
    StoreUnavailable,
    UnknownOutcome,
    ViewFailed,
)
from millstream.handlers.store.insert_plan import MAX_INSERTS_PER_CYCLE, MAX_ISOLATED_PER_CYCLE
from millstream.handlers.testing import FakeStore
from millstream.router.errors import Cancelled

DOWN = StoreUnavailable("down")
LOST = UnknownOutcome("no answer")
IN_A_VIEW = ViewFailed("d.v", "CANNOT_PARSE_NUMBER", code=72)


@pytest.fixture
def store():
    """A store in memory."""
    return FakeStore()


def table(store, **options):
    """The table that the batches go to."""
    return ClickHouseTable(store, database="m", table="events", columns=["id"], **options)


def units_of(count, bad=()):
    """Units that tell their index, and whether they are bad."""
    return [b"bad %d" % number if number in bad else b"good %d" % number for number in range(count)]


def refuse_bad(store, **options):
    """Have the store refuse bad units."""
    store.refuse_lines(lambda line: line.startswith(b"bad"), **options)


def sent(store):
    """Each INSERT as its token and how many lines it had."""
    return [(insert.token, len(insert.lines)) for insert in store.inserts]


def test_batch_is_one_insert_under_its_token(store):
    """In fair weather a batch is one INSERT with exactly the token that was drawn for it."""
    plan = table(store).plan(units_of(1000), "tok", days=[n % 100 for n in range(1000)])

    result = plan.run()

    assert (result.done, result.failures, result.left) == (range(1000), {}, ())
    assert (plan.is_finished, plan.inserts, plan.stored, plan.refused) == (True, 1, 1000, {})
    assert sent(store) == [("tok", 1000)]
    assert store.rows("`m`.`events`") == units_of(1000)


def test_lines_of_a_unit_stay_together(store):
    """A unit of two lines is two lines of one INSERT, in order."""
    plan = table(store).plan([b"event\nbill", b"event 2"], "tok")

    plan.run()

    assert store.inserts[0].lines == (b"event", b"bill", b"event 2")


def test_empty_batch_sends_nothing(store):
    """A plan without units is finished before it is run."""
    plan = table(store).plan([], "tok", days=[])

    result = plan.run()

    assert (list(result.done), store.inserts) == ([], [])


def test_finished_plan_sends_nothing_more(store):
    """Running a finished plan again is harmless."""
    plan = table(store).plan(units_of(3), "tok")
    first = plan.run()

    again = plan.run()

    assert (first == again, plan.inserts) == (True, 1)


def test_batch_over_too_many_days_is_cut_by_day(store):
    """Four hundred days, a hundred to an INSERT, are four INSERTs that touch no day twice."""
    days = [n % 400 for n in range(1200)]
    plan = table(store).plan(units_of(1200), "tok", days=days)

    plan.run()

    assert sent(store) == [("tok/0-299", 300), ("tok/300-599", 300), ("tok/600-899", 300), ("tok/900-1199", 300)]
    day_sets = [{days[int(line.split()[1])] for line in insert.lines} for insert in store.inserts]
    assert day_sets == [set(range(start, start + 100)) for start in (0, 100, 200, 300)]


def test_refused_unit_is_named_by_its_index_also_when_days_were_sorted(store):
    """Indexes in *refused* are those of the units as they were given."""
    refuse_bad(store)
    plan = table(store, max_partitions_per_insert=1).plan(units_of(6, bad={1}), "tok", days=[3, 2, 1, 3, 2, 1])

    plan.run()

    assert list(plan.refused) == [1]
    assert plan.stored == 5


def test_lengths_of_units_and_days_must_agree(store):
    """A day for each unit, or no days at all."""
    with pytest.raises(Exception, match="2 units with 1 days"):
        table(store).plan(units_of(2), "tok", days=[1])


@pytest.mark.parametrize("error", [DOWN, LOST, StoreMisconfigured("no table")], ids=["down", "lost", "misconfigured"])
def test_failed_part_is_sent_again_with_same_rows_and_token(store, error):
    """Trouble is raised, and the next run sends exactly what the first did."""
    store.fail_next(error)
    plan = table(store).plan(units_of(10), "tok")

    with pytest.raises(type(error)):
        plan.run()
    result = plan.run()

    assert list(result.done) == list(range(10))
    assert [(insert.token, insert.lines) for insert in store.inserts] == [("tok", tuple(units_of(10)))] * 2
    assert store.rows() == units_of(10)


def test_lost_answer_does_not_double_rows(store):
    """What was stored before the answer got lost is not stored again, thanks to the token."""
    store.fail_next_after_storing(LOST)
    plan = table(store).plan(units_of(10), "tok")
    with pytest.raises(UnknownOutcome):
        plan.run()

    plan.run()

    assert store.rows() == units_of(10)


def test_finished_parts_are_never_sent_again(store):
    """After trouble in the second part only the second part is sent again."""
    store.fail_next(None, DOWN)
    plan = table(store, max_partitions_per_insert=1).plan(units_of(4), "tok", days=[1, 1, 2, 2])
    with pytest.raises(StoreUnavailable):
        plan.run()

    plan.run()

    assert sent(store) == [("tok/0-1", 2), ("tok/2-3", 2), ("tok/2-3", 2)]


def test_part_of_unknown_outcome_is_not_halved_for_its_shape(store):
    """A part that may be stored is sent again whole; what stays too much for the store is somebody's to mend."""
    store.fail_next_after_storing(LOST)
    store.fail_next(ShapeError("too much", code=241))
    plan = table(store).plan(units_of(4), "tok")
    with pytest.raises(UnknownOutcome):
        plan.run()
    with pytest.raises(StoreMisconfigured, match=r"may be stored already is too much now.*too much.*code 241"):
        plan.run()

    plan.run()

    assert sent(store) == [("tok", 4)] * 3
    assert store.rows() == units_of(4)


def test_interrupted_part_counts_as_unknown(store):
    """An exception of any kind may have come after the store had everything."""
    store.fail_next_after_storing(KeyboardInterrupt())
    store.fail_next(ShapeError("too much"))
    plan = table(store).plan(units_of(4), "tok")
    with pytest.raises(KeyboardInterrupt):
        plan.run()
    with pytest.raises(StoreMisconfigured):
        plan.run()

    plan.run()

    assert store.rows() == units_of(4)


def test_shape_error_is_halved(store):
    """A batch too large for one INSERT goes in two."""
    store.fail_next(ShapeError("too much"))
    plan = table(store).plan(units_of(5), "tok")

    plan.run()

    assert sent(store) == [("tok", 5), ("tok/0-2", 3), ("tok/3-4", 2)]


def test_single_unit_of_bad_shape_is_refused(store):
    """What cannot be halved any further is set aside."""
    store.fail_next(ShapeError("too much", code=241))
    plan = table(store).plan(units_of(1), "tok")

    plan.run()

    assert plan.refused[0].code == 241


@pytest.mark.parametrize("names_row", [True, False], ids=["store names the row", "store does not"])
@pytest.mark.parametrize(
    "bad",
    [
        pytest.param({0}, id="first"),
        pytest.param({999}, id="last"),
        pytest.param({17, 18, 500}, id="several"),
    ],
)
def test_bad_units_are_isolated_and_good_ones_stored_in_the_same_run(store, bad, names_row):
    """One run finds the bad units, keeps their errors and stores all others."""
    refuse_bad(store, names_row=names_row)
    plan = table(store).plan(units_of(1000, bad), "tok")

    result = plan.run()

    assert (set(result.failures), set(plan.refused), plan.stored) == (bad, bad, 1000 - len(bad))
    assert result.done == [index for index in range(1000) if index not in bad]
    assert store.rows() == [unit for unit in units_of(1000, bad) if unit.startswith(b"good")]
    assert all(error.code == 469 for error in plan.refused.values())


def test_row_the_store_points_at_is_found_among_units_of_several_lines(store):
    """The row is counted in lines, and the unit that holds it is refused as a whole, in four INSERTs."""
    refuse_bad(store)
    units = [b"good\ngood", b"good\nbad", b"good", b"good"]
    plan = table(store).plan(units, "tok")

    plan.run()

    assert list(plan.refused) == [1]
    assert sent(store) == [("tok", 6), ("tok/0-0", 2), ("tok/1-1", 2), ("tok/2-3", 2)]


def test_canonical_lines_mend_a_part(store):
    """Units that are refused as they came pass in the form that *rewrite* gives them, and none is blamed."""
    refuse_bad(store)
    plan = table(store).plan(units_of(3, bad={1}), "tok", rewrite=lambda index: b"mended %d" % index)

    plan.run()

    assert plan.refused == {}
    assert sent(store) == [("tok", 3), ("tok/0-2r", 3)]
    assert store.rows() == [b"mended 0", b"mended 1", b"mended 2"]


def test_unit_that_is_bad_in_both_forms_is_refused(store):
    """If the canonical form does not help either, the part is cut."""
    refuse_bad(store)
    plan = table(store).plan(units_of(3, bad={1}), "tok", rewrite=lambda index: units_of(3, bad={1})[index])

    plan.run()

    assert list(plan.refused) == [1]
    assert store.rows() == [b"good 0", b"good 2"]


def test_each_unit_is_rewritten_once(store):
    """A retry must send the very same bytes, so a unit's canonical form is made once and kept."""
    refuse_bad(store, names_row=False)
    calls = []
    plan = table(store).plan(units_of(8, bad={3}), "tok", rewrite=lambda index: calls.append(index) or b"bad")

    plan.run()

    assert sorted(calls) == list(range(8))


def test_run_goes_on_to_the_end_however_many_units_are_refused(store):
    """One call is enough for whoever knows nothing of cycles: what it returns accounts for every unit."""
    refuse_bad(store)
    bad = range(0, 1000, 5)
    plan = table(store).plan(units_of(1000, bad), "tok")

    result = plan.run()

    assert (set(result.failures), len(result.done), list(result.left)) == (set(bad), 800, [])
    assert len(store.rows()) == 800


def test_hook_is_told_when_a_budget_of_isolated_units_is_used_up(store):
    """A batch with many bad units is worked off over several cycles, 64 bad units each."""
    refuse_bad(store)
    count = MAX_ISOLATED_PER_CYCLE * 2 + 1
    plan = table(store).plan(units_of(count, bad=range(count)), "tok")
    told = []

    plan.run(lambda: told.append(len(plan.refused)) or True)

    assert [*told, len(plan.refused)] == [MAX_ISOLATED_PER_CYCLE, 2 * MAX_ISOLATED_PER_CYCLE, count]


def test_hook_is_told_when_a_budget_of_inserts_is_used_up(store):
    """A batch that costs many INSERTs gives way after each two hundred."""
    refuse_bad(store, names_row=False)
    bad = range(0, 4000, 80)
    plan = table(store).plan(units_of(4000, bad), "tok")
    told = []

    plan.run(lambda: told.append(plan.inserts) or True)

    assert told == [MAX_INSERTS_PER_CYCLE * cycle for cycle in range(1, len(told) + 1)]
    assert (set(plan.refused), plan.stored) == (set(bad), 4000 - len(bad))


def test_hook_may_end_the_run_and_what_is_left_is_named(store):
    """Whoever stops at a cycle hears of every unit all the same, and goes on from there if asked again."""
    refuse_bad(store)
    count = MAX_ISOLATED_PER_CYCLE * 2
    plan = table(store).plan(units_of(count, bad=range(count)), "tok")

    ended = plan.run(lambda: False)
    finished = plan.run()

    assert (sorted(ended.failures), list(ended.done)) == (list(range(MAX_ISOLATED_PER_CYCLE)), [])
    assert sorted(ended.left) == list(range(MAX_ISOLATED_PER_CYCLE, count))
    assert sorted(finished.failures) == list(range(count))


def test_hook_that_raises_leaves_the_plan_where_it_was(store):
    """A shutdown heard of in the hook is no outcome; the next run goes on."""
    refuse_bad(store)
    count = MAX_ISOLATED_PER_CYCLE * 2
    plan = table(store).plan(units_of(count, bad=range(count)), "tok")

    def cancel():
        raise Cancelled

    with pytest.raises(Cancelled):
        plan.run(cancel)
    plan.run()

    assert sorted(plan.refused) == list(range(count))


def test_news_tell_each_outcome_once_in_the_order_of_sending(store):
    """After each run what it brought: stored and refused units where they stand, whatever comes later."""
    refuse_bad(store)
    bad = {0, *range(10, 10 + MAX_ISOLATED_PER_CYCLE)}
    plan = table(store).plan(units_of(200, bad), "tok")

    plan.run(lambda: False)
    first = list(plan.news())
    again = list(plan.news())
    plan.run()
    rest = list(plan.news())

    assert again == []
    assert [index for index, _ in first + rest] == list(range(200))
    assert {index for index, error in first + rest if error is not None} == bad
    assert len(first) == 10 + MAX_ISOLATED_PER_CYCLE - 1


def test_long_row_of_bad_units_costs_one_small_insert_each(store):
    """After a few that were refused one after the other each is sent alone; once one is stored the rest goes together again."""
    refuse_bad(store)
    plan = table(store).plan(units_of(1000, bad=range(40)), "tok")

    plan.run()

    assert (sorted(plan.refused), plan.stored) == (list(range(40)), 960)
    sizes = [len(insert.lines) for insert in store.inserts]
    assert sizes[-3:] == [1, 1, 959]
    assert sum(size > 1 for size in sizes) == 9


@pytest.mark.slow
def test_what_is_left_after_a_cycle_is_halved(store):
    """Each INSERT that is refused costs all of its rows: a large batch with many bad ones gets cheaper with each cycle."""
    refuse_bad(store)
    plan = table(store).plan(units_of(10_000, bad=range(0, 10_000, 2)), "tok")
    sizes = []
    for _ in range(4):
        plan.run(lambda: False)
        before = len(store.inserts)
        store.fail_next(StoreUnavailable("away"))
        with pytest.raises(StoreUnavailable):
            plan.run()
        sizes.append(len(store.inserts[before].lines))

    assert sizes == [4937, 2405, 1139, 506]


def test_cancelled_passes_through(store):
    """A shutdown during an INSERT is not an outcome: the plan keeps its part."""
    store.fail_next(Cancelled("shutdown"))
    plan = table(store).plan(units_of(2), "tok")

    with pytest.raises(Cancelled):
        plan.run()

    assert plan.is_finished is False


ERRORS = st.sampled_from(["pass", "down", "lost before", "lost after", "shape"])


@given(
    count=st.integers(1, 40),
    bad=st.sets(st.integers(0, 39), max_size=5),
    days=st.none() | st.lists(st.integers(0, 6), min_size=40, max_size=40),
    weather=st.lists(ERRORS, max_size=12),
    names_row=st.booleans(),
    rewrites=st.booleans(),
)
def test_every_unit_is_stored_once_or_refused_whatever_the_weather(count, bad, days, weather, names_row, rewrites):
    """In any order of faults: good units are stored exactly once, bad ones refused, and a token names one row set."""
    store = FakeStore()
    refuse_bad(store, names_row=names_row)
    for kind in weather:
        if kind == "lost after":
            store.fail_next_after_storing(LOST if not bad else None)
        else:
            error = {"pass": None, "down": DOWN, "lost before": LOST, "shape": ShapeError("too much")}[kind]
            store.fail_next(error)
    units = units_of(count, bad)
    plan = table(store, max_partitions_per_insert=3).plan(
        units, "tok", days=None if days is None else days[:count], rewrite=units.__getitem__ if rewrites else None
    )
    for _ in range(1000):
        try:
            plan.run()
            break
        except (StoreUnavailable, UnknownOutcome, StoreMisconfigured):
            continue

    rows_of_token = {}
    for insert in store.inserts:
        assert rows_of_token.setdefault(insert.token, insert.lines) == insert.lines
    refused = {units[index] for index in plan.refused}
    assert sorted(store.rows()) == sorted(set(units) - refused)
    assert {unit for unit in units if unit.startswith(b"bad")} <= refused
    assert all(isinstance(error, DataError) for error in plan.refused.values())


def test_part_that_a_view_failed_on_is_sent_again_as_it_is(store):
    """The same bytes under the same token, for as long as it takes; nothing is split, rewritten or refused."""
    plan = table(store).plan(units_of(8), "tok", rewrite=lambda place: b"rewritten")
    store.fail_next_after_storing(IN_A_VIEW, IN_A_VIEW)

    for _ in range(2):
        with pytest.raises(ViewFailed, match=r"the view d\.v raised CANNOT_PARSE_NUMBER"):
            plan.run()
    plan.run()

    assert sent(store) == [("tok", 8)] * 3
    assert (store.rows(), plan.refused, plan.stored) == (units_of(8), {}, 8)


def test_part_that_a_shard_refused_is_not_cut_by_what_comes_later(store):
    """Other shards may have their rows of it."""
    plan = table(store).plan(units_of(8), "tok")
    store.fail_next_after_storing(ShardRefused("constraint", code=469))
    store.fail_next(DataError("constraint", code=469))

    with pytest.raises(ShardRefused):
        plan.run()
    with pytest.raises(StoreMisconfigured):
        plan.run()
    plan.run()

    assert sent(store) == [("tok", 8)] * 3
    assert (store.rows(), plan.refused) == (units_of(8), {})


@pytest.mark.parametrize(
    ("then", "expected"),
    [
        pytest.param(DataError("constraint", code=469), StoreMisconfigured, id="new constraint of the table"),
        pytest.param(ShapeError("too many partitions", code=252), StoreMisconfigured, id="lower limit of the table"),
    ],
)
def test_part_that_a_view_failed_on_is_not_cut_by_what_comes_later(store, then, expected):
    """Whoever mends the view by refusing such rows finds them in the table already: halves would be stored once more."""
    plan = table(store).plan(units_of(8), "tok")
    store.fail_next_after_storing(IN_A_VIEW)
    store.fail_next(then)

    with pytest.raises(ViewFailed):
        plan.run()
    with pytest.raises(expected):
        plan.run()
    plan.run()

    assert sent(store) == [("tok", 8)] * 3
    assert (store.rows(), plan.refused) == (units_of(8), {})
