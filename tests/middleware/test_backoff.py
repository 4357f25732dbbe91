"""How long the waits between attempts are, and when there are no more."""

import inspect

import pytest

from millstream.middleware import Backoff, RetrySchedule
from millstream.router import ConfigurationError


def delays(backoff, count):
    """Return the next *count* delays."""
    return [backoff.next_delay() for _ in range(count)]


def test_delays_double_up_to_the_longest():
    """The sequence is that of Watermill without its hook: 1, 2, 4, 8, then 10 for ever."""
    backoff = Backoff(initial_interval=1, max_interval=10, multiplier=2, jitter=0)

    assert delays(backoff, 6) == [1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [
        pytest.param(0.0, [0.5, 1, 2, 4, 5, 5], id="shortest"),
        pytest.param(0.5, [1, 2, 4, 8, 10, 10], id="middle"),
        pytest.param(1.0, [1.5, 3, 6, 12, 15, 15], id="longest"),
    ],
)
def test_jitter_varies_a_delay_that_is_already_capped(drawn, expected):
    """The cap comes before the jitter, so a delay may last half as long again as the longest, and the next step ignores it."""
    backoff = Backoff(initial_interval=1, max_interval=10, multiplier=2, jitter=0.5, random=lambda: drawn)

    assert delays(backoff, 6) == expected


def test_each_delay_is_drawn_once():
    """One random number per delay: none is used up for showing it."""
    drawn = []
    backoff = Backoff(random=lambda: drawn.append(1) or 0.5)

    assert len(delays(backoff, 3)) == len(drawn) == 3


def test_first_delay_is_capped_too():
    """A first interval above the longest one waits the longest."""
    backoff = Backoff(initial_interval=30, max_interval=10, jitter=0)

    assert delays(backoff, 2) == [10, 10]


def test_multiplier_of_one_keeps_the_delay():
    """Constant waits are a multiplier of 1."""
    backoff = Backoff(initial_interval=2, multiplier=1, jitter=0)

    assert delays(backoff, 3) == [2, 2, 2]


def test_reset_begins_again():
    """After a success the first delay is due again."""
    backoff = Backoff(initial_interval=1, jitter=0)
    delays(backoff, 3)

    backoff.reset()

    assert backoff.next_delay() == 1


@pytest.mark.parametrize(
    "option",
    [
        pytest.param({"initial_interval": -1}, id="negative-first"),
        pytest.param({"max_interval": float("nan")}, id="longest-not-a-number"),
        pytest.param({"multiplier": 0.5}, id="shrinking"),
        pytest.param({"multiplier": float("inf")}, id="growing-at-once"),
        pytest.param({"jitter": 1.5}, id="jitter-above-one"),
    ],
)
def test_option_out_of_range_is_named(option):
    """The error names the option and its value."""
    (name, value), *_ = option.items()

    with pytest.raises(ConfigurationError, match=rf"{name} .* not {value}"):
        Backoff(**option)


def failed(schedule, times, now=0.0):
    """Let *times* attempts fail at *now*; returns what the schedule says after each."""
    said = []
    for _ in range(times):
        schedule.count_failure()
        said.append(schedule.next_delay(now))
    return said


def test_schedule_ends_after_the_last_retry():
    """Three retries are four attempts."""
    schedule = RetrySchedule(Backoff(jitter=0), max_retries=3)

    assert failed(schedule, 4) == [1, 2, 4, None]
    assert schedule.attempts == 4


def test_schedule_without_retries_never_waits():
    """`max_retries=0` means one attempt, unlike in Watermill 1.4."""
    assert failed(RetrySchedule(Backoff(), max_retries=0), 1) == [None]


def test_schedule_begins_no_attempt_after_its_moment():
    """An attempt may begin at that moment, not later; alone this limit is enough."""
    schedule = RetrySchedule(Backoff(multiplier=1, jitter=0), max_retries=None, give_up_at=10.0)

    assert failed(schedule, 1, now=9.0) == [1]
    assert failed(schedule, 1, now=9.5) == [None]


def test_one_is_made_without_a_look_at_what_python_draws_from(monkeypatch):
    """One is made for each batch: `inspect.signature` of what is built in copies all of `sys.modules` into a circle, 26 KB."""
    looks = []
    monkeypatch.setattr(inspect, "signature", lambda *given, **_: looks.append(given))
    Backoff()

    assert looks == []
