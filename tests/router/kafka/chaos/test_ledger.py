"""The ledger finds what it is there to find: each fault in a made-up history, and none in a right one."""

import pytest

from tests.router.kafka.chaos.ledger import Ledger

TEXTS = {
    1: "5 delivered 0:0 0:1\n10 settled 0:0 0:1\n25 delivered 0:2\n30 settled 0:2\n35 drained\n45 left\n",
    2: "20 settled 1:0\n",
}
"""What two members wrote; the first has left in order."""


def test_right_history_has_no_faults():
    """Commits that follow the settlements, everything settled, nothing twice."""
    ledger = Ledger(TEXTS, [(15, {0: 2}), (40, {0: 3, 1: 1})])

    assert ledger.commits_ahead() == []
    assert ledger.unsettled({0: 3, 1: 1}) == []
    assert ledger.repeats_after_graceful_leaves() == []
    assert ledger.duplicates == 0


def test_commit_before_the_settlement_is_found():
    """What was settled later does not excuse it."""
    ledger = Ledger(TEXTS, [(15, {0: 3}), (40, {0: 3})])

    assert ledger.commits_ahead() == ["partition 0: committed 3, settled up to 2"]


def test_commit_over_a_gap_is_found():
    """Settled behind something that is not settled does not count."""
    ledger = Ledger({1: "10 settled 0:0 0:2\n"}, [(20, {0: 3})])

    assert ledger.commits_ahead() == ["partition 0: committed 3, settled up to 1"]


def test_message_that_nobody_settled_is_found():
    """Loss, seen from the end offsets; that it was delivered is not enough."""
    ledger = Ledger(TEXTS | {3: "50 delivered 0:3\n"})

    assert ledger.unsettled({0: 4, 1: 1}) == [(0, 3)]


@pytest.mark.parametrize(("time", "is_found"), [(34, False), (36, True), (50, True)])
def test_delivery_of_what_a_member_had_finished_before_it_left_is_found(time, is_found):
    """From when it had released its last message on, whether or not anybody settles it again."""
    ledger = Ledger(TEXTS | {3: f"{time} delivered 0:1\n"})

    assert ledger.repeats_after_graceful_leaves() == (["(0, 1) again to 3"] if is_found else [])
    assert ledger.duplicates == 1


def test_repeat_after_the_end_of_a_member_that_was_killed_is_none():
    """It had no chance to commit."""
    ledger = Ledger(TEXTS | {3: "50 delivered 1:0\n"})

    assert ledger.repeats_after_graceful_leaves() == []


def test_line_that_a_kill_has_cut_off_does_not_count():
    """Its member was killed while it wrote, so it has released nothing of it."""
    ledger = Ledger(TEXTS | {3: "50 settled 0:3\n60 settled 0:4 0:1"})

    assert ledger.unsettled({0: 5, 1: 1}) == [(0, 4)]


@pytest.mark.parametrize(("third", "most"), [("15 delivered 0:4\n", 3), ("50 delivered 0:4\n", 2)])
def test_members_that_had_messages_at_the_same_time_are_counted(third, most):
    """One that came when the others had gone does not count."""
    texts = {1: "10 delivered 0:0\n20 delivered 0:1\n", 2: "12 delivered 0:2\n30 delivered 0:3\n", 3: third}

    assert Ledger(texts).most_at_once == most


def test_longest_blink_is_the_time_in_which_a_fault_could_pass_unseen():
    """In seconds, between one look and the next."""
    ledger = Ledger({}, [(1_000_000_000, {}), (1_100_000_000, {}), (3_100_000_000, {})])

    assert ledger.longest_blink == 2.0
