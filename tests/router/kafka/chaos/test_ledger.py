"""The ledger finds what it is there to find: each fault in a made-up history, and none in a right one."""

from tests.router.kafka.chaos.ledger import Ledger

LINES = ["1 10 0:0 0:1", "2 20 1:0", "1 30 0:2"]


def test_right_history_has_no_faults():
    """Commits that follow the settlements, everything settled, nothing twice."""
    ledger = Ledger.read(LINES, commits=[(15, {0: 2}), (40, {0: 3, 1: 1})], graceful={1: 35})

    assert ledger.commits_ahead() == []
    assert ledger.unsettled({0: 3, 1: 1}) == []
    assert ledger.repeats_after_graceful_leaves() == []
    assert ledger.duplicates == 0


def test_commit_before_the_settlement_is_found():
    """What was settled later does not excuse it."""
    ledger = Ledger.read(LINES, commits=[(15, {0: 3}), (40, {0: 3})])

    assert ledger.commits_ahead() == ["partition 0: committed 3, settled up to 2"]


def test_commit_over_a_gap_is_found():
    """Settled behind something that is not settled does not count."""
    ledger = Ledger.read(["1 10 0:0 0:2"], commits=[(20, {0: 3})])

    assert ledger.commits_ahead() == ["partition 0: committed 3, settled up to 1"]


def test_message_that_nobody_settled_is_found():
    """Loss, seen from the end offsets."""
    assert Ledger.read(LINES).unsettled({0: 4, 1: 1}) == [(0, 3)]


def test_repeat_after_a_graceful_leave_is_found():
    """What its member had finished comes again after that member has ended."""
    again = [*LINES, "3 50 0:1"]

    assert Ledger.read(again, graceful={1: 40}).repeats_after_graceful_leaves() == ["(0, 1) again by 3"]
    assert Ledger.read(again, graceful={2: 40}).repeats_after_graceful_leaves() == []
    assert Ledger.read(again).duplicates == 1
