"""What becomes of a batch after an attempt that failed."""

import pytest

from millstream.handlers.batching import BatchConfig
from millstream.handlers.batching.decision import Decision, Verdict, decide
from millstream.middleware import Backoff
from millstream.router import ConfigurationError, HaltedError, PermanentError, TransientError

DOWN = TransientError("store down")
BUG = ZeroDivisionError("a bug")
NO_TABLE = ConfigurationError("no such table")
WAITING = BatchConfig(max_retries=3, wait_interval=2.0, halt_after=300.0)
POISONING = BatchConfig(max_retries=3, wait_interval=2.0, halt_after=300.0, on_exhausted="poison")
NOW = 1000.0


def backoff():
    """Return waits of 1, 2, 4 seconds, without jitter."""
    return Backoff(initial_interval=1.0, multiplier=2.0, jitter=0.0)


def decided(error, attempt, config, *, wrong_since=None):
    """Return the decision at the time `NOW`."""
    return decide(error, attempt, config, backoff=backoff(), wrong_since=wrong_since, now=NOW)


@pytest.mark.parametrize(
    ("error", "attempt", "config", "expected"),
    [
        pytest.param(DOWN, 1, WAITING, Decision(Verdict.RETRY, 1.0), id="store down"),
        pytest.param(DOWN, 3, WAITING, Decision(Verdict.RETRY, 1.0), id="store down at the last retry"),
        pytest.param(DOWN, 4, WAITING, Decision(Verdict.WAIT, 2.0), id="store down after the last retry"),
        pytest.param(DOWN, 900, WAITING, Decision(Verdict.WAIT, 2.0), id="store down for half an hour"),
        pytest.param(DOWN, 3, POISONING, Decision(Verdict.RETRY, 1.0), id="store down at the last retry before poison"),
        pytest.param(DOWN, 4, POISONING, Decision(Verdict.POISON), id="store down where that is poisoned"),
        pytest.param(
            OSError("no space"), 4, WAITING, Decision(Verdict.WAIT, 2.0), id="the system is short of something"
        ),
        pytest.param(BUG, 1, WAITING, Decision(Verdict.RETRY, 1.0), id="bug"),
        pytest.param(BUG, 4, WAITING, Decision(Verdict.WAIT, 2.0, NOW), id="bug after the last retry"),
        pytest.param(BUG, 4, POISONING, Decision(Verdict.POISON), id="bug where that is poisoned"),
        pytest.param(NO_TABLE, 1, WAITING, Decision(Verdict.RETRY, 2.0, NOW), id="wrong configuration"),
        pytest.param(NO_TABLE, 4, WAITING, Decision(Verdict.WAIT, 2.0, NOW), id="wrong configuration for long"),
        pytest.param(NO_TABLE, 4, POISONING, Decision(Verdict.WAIT, 2.0, NOW), id="wrong configuration poisons nobody"),
        pytest.param(PermanentError("no"), 1, WAITING, Decision(Verdict.POISON), id="can never be processed"),
        pytest.param(HaltedError("stop"), 1, WAITING, Decision(Verdict.HALT), id="told to stop"),
        pytest.param(HaltedError("stop"), 4, POISONING, Decision(Verdict.HALT), id="told to stop, late"),
    ],
)
def test_error_and_attempt_decide(error, attempt, config, expected):
    """Whose fault it is decides, and whether retries are left."""
    decision = decided(error, attempt, config)

    assert decision == expected


@pytest.mark.parametrize(
    ("error", "attempt", "wrong_since", "expected"),
    [
        pytest.param(NO_TABLE, 3, NOW - 10, Decision(Verdict.RETRY, 10.0, NOW - 10), id="wrong, and tried ever slower"),
        pytest.param(NO_TABLE, 9, NOW - 100, Decision(Verdict.WAIT, 30.0, NOW - 100), id="wrong, and tried slowly"),
        pytest.param(NO_TABLE, 9, NOW - 290, Decision(Verdict.WAIT, 10.0, NOW - 290), id="wrong, the last time"),
        pytest.param(NO_TABLE, 9, NOW - 299.9, Decision(Verdict.WAIT, 2.0, NOW - 299.9), id="wrong, not long enough"),
        pytest.param(NO_TABLE, 9, NOW - 300, Decision(Verdict.HALT, wrong_since=NOW - 300), id="wrong for too long"),
        pytest.param(NO_TABLE, 2, NOW - 300, Decision(Verdict.HALT, wrong_since=NOW - 300), id="with retries left"),
        pytest.param(BUG, 9, NOW - 300, Decision(Verdict.HALT, wrong_since=NOW - 300), id="bug for too long"),
        pytest.param(BUG, 3, NOW - 300, Decision(Verdict.RETRY, 1.0), id="bug with retries left begins anew"),
        pytest.param(DOWN, 9, NOW - 300, Decision(Verdict.WAIT, 2.0), id="the store went away: begins anew"),
    ],
)
def test_what_somebody_must_mend_halts_after_a_while(error, attempt, wrong_since, expected):
    """The time counts from the first of them, and anything else between them starts it again."""
    decision = decided(error, attempt, WAITING, wrong_since=wrong_since)

    assert decision == expected


def test_nothing_is_waited_out_where_that_is_chosen():
    """With `halt_after=0` the first wrong configuration halts."""
    decision = decided(NO_TABLE, 1, BatchConfig(halt_after=0.0))

    assert decision == Decision(Verdict.HALT, wrong_since=NOW)


def test_only_a_retry_with_backoff_goes_on_in_its_waits():
    """A wrong configuration in between does not make the next wait longer."""
    waits = backoff()
    errors = [DOWN, NO_TABLE, DOWN, DOWN]
    after = [
        decide(error, attempt, BatchConfig(max_retries=9), backoff=waits, wrong_since=None, now=NOW).after
        for attempt, error in enumerate(errors, start=1)
    ]

    assert after == [1.0, 2.0, 2.0, 4.0]
