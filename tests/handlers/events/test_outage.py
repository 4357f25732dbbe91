"""What is said of a store that is away."""

import pytest

from millstream.handlers.events.outage import Outage
from millstream.handlers.store import DataError, StoreMisconfigured, StoreUnavailable, UnknownOutcome
from millstream.router.testing import ManualClock


@pytest.mark.parametrize("error", [StoreUnavailable("refused"), UnknownOutcome("no answer")])
def test_outage_is_said_once_and_its_end_once(log_lines, error):
    """However many INSERTs fail meanwhile; the end says how long it was."""
    clock = ManualClock()
    outage = Outage(clock)
    for _ in range(3):
        outage.note_failure(error)
        clock.advance(2.0)
    during = (outage.seconds, outage.reason)
    for _ in range(3):
        outage.note_success()

    assert during == (6.0, str(error))
    assert (outage.seconds, outage.reason) == (0.0, "")
    assert [line.partition(":")[0] for line in log_lines] == ["WARNING store down", "INFO store back"]


@pytest.mark.parametrize("error", [DataError("bad row"), StoreMisconfigured("no table"), RuntimeError("bug")])
def test_what_does_not_say_that_the_store_is_away_is_no_outage(log_lines, error):
    """A store that refuses has answered."""
    outage = Outage(ManualClock())

    outage.note_failure(error)

    assert (outage.seconds, log_lines) == (0.0, [])


def test_each_outage_is_said(log_lines):
    """The second as well as the first."""
    outage = Outage(ManualClock())
    for _ in range(2):
        outage.note_failure(StoreUnavailable("refused"))
        outage.note_success()

    assert len(log_lines) == 4


def test_a_store_that_refuses_is_back(log_lines):
    """It has answered, whatever it said."""
    outage = Outage(ManualClock())
    outage.note_failure(StoreUnavailable("refused"))

    outage.note_failure(StoreMisconfigured("no table"))

    assert [line.partition(":")[0] for line in log_lines] == ["WARNING store down", "INFO store back"]
    assert outage.reason == ""
