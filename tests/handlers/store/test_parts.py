"""What is sent next and under which token, decided without a store."""

import pytest

from millstream.handlers.store.errors import DataError, ShapeError
from millstream.handlers.store.parts import PartLedger, cut_by_day

BAD = DataError("bad", code=469)
TOO_MUCH = ShapeError("too much", code=241)


def ledger(size, *, can_rewrite=False):
    """A ledger for a batch that needs no cut."""
    return PartLedger("tok", [(0, size - 1)], can_rewrite=can_rewrite)


def tokens(parts):
    """Take what is left, storing each part."""
    taken = []
    while (part := parts.next_part()) is not None:
        taken.append(part.token)
        parts.mark_stored()
    return taken


def test_whole_batch_bears_exactly_its_token():
    """A batch that needs no cut is one part under the token that was drawn for it."""
    parts = ledger(10)

    part = parts.next_part()

    assert (part.first, part.last, part.token) == (0, 9, "tok")


def test_part_stays_next_until_its_outcome_is_told():
    """Asking again changes nothing."""
    parts = ledger(10)

    first, again = parts.next_part(), parts.next_part()

    assert first is again


def test_stored_batch_leaves_nothing_to_do():
    """After the last part is stored there is no next one, and all units are counted."""
    parts = ledger(10)

    parts.mark_stored()

    assert (parts.next_part(), parts.stored, parts.refused) == (None, 10, {})


def test_unknown_part_stays_as_it_is():
    """A part that may be stored is next again, with its rows and its token."""
    parts = ledger(10)

    parts.mark_unknown()

    part = parts.next_part()
    assert (part.first, part.last, part.token, part.is_unknown) == (0, 9, "tok", True)


def test_unknown_part_is_not_halved_for_its_shape():
    """Halves under new tokens could store rows twice, so the ledger asks for the same part again."""
    parts = ledger(10)
    parts.mark_unknown()

    is_cut = parts.mark_bad_shape(TOO_MUCH)

    assert (is_cut, parts.next_part().token) == (False, "tok")


def test_unknown_part_is_cut_once_its_data_is_proven_bad():
    """Data that is refused now cannot have been stored before."""
    parts = ledger(10)
    parts.mark_unknown()

    parts.mark_bad_data(BAD)

    assert tokens(parts) == ["tok/0-4", "tok/5-9"]


def test_shape_is_halved_under_new_tokens():
    """Each half names its own rows."""
    parts = ledger(5)

    is_cut = parts.mark_bad_shape(TOO_MUCH)

    assert is_cut is True
    assert tokens(parts) == ["tok/0-2", "tok/3-4"]


def test_single_unit_of_bad_shape_is_refused():
    """What cannot be halved is set aside with the store's reason."""
    parts = ledger(1)

    parts.mark_bad_shape(TOO_MUCH)

    assert (parts.refused[0].reason, parts.refused[0].code) == ("too much", 241)
    assert parts.next_part() is None


def test_canonical_form_is_tried_before_any_unit_is_blamed():
    """The whole part is sent once more in rewritten form, under a token that says so."""
    parts = ledger(10, can_rewrite=True)

    parts.mark_bad_data(BAD, 3)

    part = parts.next_part()
    assert (part.first, part.last, part.token, part.is_rewritten) == (0, 9, "tok/0-9r", True)


def test_rewriting_is_tried_once():
    """If the rewritten part is refused too, it is cut, and its halves stay rewritten."""
    parts = ledger(4, can_rewrite=True)
    parts.mark_bad_data(BAD)

    parts.mark_bad_data(BAD)

    assert tokens(parts) == ["tok/0-1r", "tok/2-3r"]


@pytest.mark.parametrize(
    ("suspect", "expected"),
    [
        pytest.param(4, ["tok/0-3", "tok/4-4", "tok/5-9"], id="in the middle"),
        pytest.param(0, ["tok/0-0", "tok/1-9"], id="first"),
        pytest.param(9, ["tok/0-8", "tok/9-9"], id="last"),
        pytest.param(10, ["tok/0-4", "tok/5-9"], id="outside"),
        pytest.param(None, ["tok/0-4", "tok/5-9"], id="none"),
    ],
)
def test_part_is_cut_around_the_unit_the_store_points_at(suspect, expected):
    """The suspect is sent alone, what is before and behind it as one part each; without one, halves."""
    parts = ledger(10)

    parts.mark_bad_data(BAD, suspect)

    assert tokens(parts) == expected


def test_hints_are_ignored_once_one_was_wrong():
    """A suspect that gets stored shows that the store counts differently: then only halving is sure to end."""
    parts = ledger(11)
    parts.mark_bad_data(BAD, 0)
    parts.mark_stored()

    parts.mark_bad_data(BAD, 1)

    assert tokens(parts) == ["tok/1-5", "tok/6-10"]


def test_refused_unit_is_alone():
    """One bad unit of four is found by halving; the other three are stored."""
    parts = ledger(4)
    while (part := parts.next_part()) is not None:
        if part.first <= 2 <= part.last:
            parts.mark_bad_data(BAD)
        else:
            parts.mark_stored()

    assert (parts.refused, parts.stored) == ({2: BAD}, 3)


@pytest.mark.parametrize(
    ("days", "limit", "order", "runs"),
    [
        pytest.param([5, 5, 5], 1, [0, 1, 2], [(0, 2)], id="one day"),
        pytest.param([2, 1, 2, 1], 1, [1, 3, 0, 2], [(0, 1), (2, 3)], id="two days, mixed"),
        pytest.param([3, 1, 2], 2, [1, 2, 0], [(0, 1), (2, 2)], id="one day too many"),
        pytest.param([1, 2, 3, 4], 2, [0, 1, 2, 3], [(0, 1), (2, 3)], id="two full runs"),
        pytest.param([-1, 0], 1, [0, 1], [(0, 0), (1, 1)], id="before 1970"),
        pytest.param([], 1, [], [], id="nothing"),
    ],
)
def test_batch_is_cut_by_day_into_as_few_runs_as_possible(days, limit, order, runs):
    """Units are brought into the order of their days, and each run takes as many days as it may."""
    cut = cut_by_day(days, limit)

    assert cut == (order, runs)


def test_runs_bear_tokens_of_their_own():
    """Of a batch that was cut no part bears the plain token, which would name all rows."""
    parts = PartLedger("tok", [(0, 4), (5, 6)], can_rewrite=False)

    assert tokens(parts) == ["tok/0-4", "tok/5-6"]


def test_next_part_is_halved_between_cycles():
    """What was not sent yet gets smaller, each half under a token of its own."""
    parts = ledger(10)
    parts.halve_next()

    assert tokens(parts) == ["tok/0-4", "tok/5-9"]


def test_what_may_be_stored_is_not_halved():
    """An INSERT whose answer was lost is sent again as it was."""
    parts = ledger(10)
    parts.mark_unknown()
    parts.halve_next()

    assert tokens(parts) == ["tok"]


def test_one_unit_is_not_halved():
    """There is nothing to cut; nor is there when all is done."""
    parts = ledger(1)
    parts.halve_next()

    assert tokens(parts) == ["tok"]
    parts.halve_next()
    assert parts.next_part() is None
