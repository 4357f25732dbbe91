"""No more than so many messages a second."""

import threading

import pytest

from millstream.middleware import Throttle
from millstream.router import Cancelled, ConfigurationError, Message
from millstream.router.testing import ManualClock, RecordingHandler
from tests.middleware.middleware_aids import SteppingClock, close_router, make_message, revoke_partition


def moments(throttle, clock, count):
    """Send *count* messages through, one after the other; returns when each was handled."""
    handled = []
    chain = throttle(lambda _: handled.append(clock.now()))
    for _ in range(count):
        chain(make_message(clock))
    return handled


def test_messages_are_spread_over_time():
    """Four a second are a quarter of a second apart, the first one at once."""
    assert moments(Throttle(4), SteppingClock(), 5) == [0, 0.25, 0.5, 0.75, 1]


def test_first_message_goes_at_once_whatever_the_clock_says():
    """Only differences of a clock mean anything: it may well begin below zero."""
    clock = SteppingClock()
    clock.time = -10.0

    assert moments(Throttle(1), clock, 2) == [-10, -9]


def test_burst_follows_at_once():
    """The saved turns go first, then the rate holds."""
    assert moments(Throttle(2, burst=3), SteppingClock(), 6) == [0, 0, 0, 0.5, 1, 1.5]


@pytest.mark.parametrize("burst", [1, 3])
def test_idle_time_saves_no_more_than_the_burst(burst):
    """After an hour of nothing only as many messages follow each other as after the start."""
    clock = SteppingClock()
    throttle = Throttle(1, burst)
    moments(throttle, clock, 5)
    clock.time = 3600

    assert moments(throttle, clock, burst + 2) == [3600] * burst + [3601, 3602]


def test_time_spent_in_the_handler_counts():
    """A handler that is slower than the rate is never made to wait."""
    clock = SteppingClock()

    def slow(_):
        clock.time += 2

    chain = Throttle(1)(slow)
    for _ in range(3):
        chain(make_message(clock))

    assert clock.waits == []


def test_handlers_that_share_an_instance_share_the_rate():
    """Threads of several handlers take turns: each advance of the clock lets one message through."""
    clock, handler = ManualClock(), RecordingHandler()
    throttle = Throttle(1)
    threads = [threading.Thread(target=throttle(handler), args=[make_message(clock)]) for _ in range(4)]
    for thread in threads:
        thread.start()

    counts = []
    for expected in range(1, 5):
        assert handler.wait_calls(expected)
        assert clock.wait_for_waiters(4 - expected)
        counts.append(len(handler.messages))
        clock.advance(1)
    for thread in threads:
        thread.join(10)

    assert counts == [1, 2, 3, 4]


def test_wait_for_a_turn_ends_when_the_router_closes():
    """The handler is not called: its message is left for the next start."""
    clock, handler = SteppingClock(), RecordingHandler()
    chain = Throttle(1)(handler)
    chain(make_message(clock))
    message = make_message(clock)
    clock.on_wait = lambda: close_router(message)

    with pytest.raises(Cancelled):
        chain(message)

    assert len(handler.messages) == 1


def test_good_message_makes_no_context():
    """A message of no router is throttled on the real clock; its turn, being the first, is now."""
    handler = RecordingHandler()

    Throttle(1)(handler)(Message(b"x"))

    assert handler.payloads == [b"x"]


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_rate_must_be_above_zero(rate):
    """The error names the option and its value."""
    with pytest.raises(ConfigurationError, match=f"rate .* not {rate}"):
        Throttle(rate)


def test_burst_must_be_at_least_one():
    """The error names the option and its value."""
    with pytest.raises(ConfigurationError, match=r"burst .* not 0"):
        Throttle(1, burst=0)


def admitted(throttle, clock, count):
    """Let *count* messages of runs go; returns when each went, by the pieces that were admitted."""
    context, pieces = make_message(clock).context, []
    while count:
        some = throttle.admit(context, count)
        count -= some
        pieces.append((clock.now(), some))
    return pieces


@pytest.mark.parametrize(
    ("rate", "burst", "expected"),
    [
        pytest.param(4, 1, [(0, 1), (0.25, 1), (0.5, 1), (0.75, 1), (1, 1), (1.25, 1)], id="one at a time"),
        pytest.param(2, 3, [(0, 3), (0.5, 1), (1, 1), (1.5, 1)], id="a burst first"),
        pytest.param(2, 100, [(0, 6)], id="all at once"),
    ],
)
def test_runs_go_in_pieces_when_their_messages_would_have(rate, burst, expected):
    """What goes at one moment is what would have gone one by one."""
    pieces = admitted(Throttle(rate, burst), SteppingClock(), 6)

    assert pieces == expected
    assert [at for at, some in pieces for _ in range(some)] == moments(Throttle(rate, burst), SteppingClock(), 6)


def test_idle_time_saves_no_more_than_the_burst_for_runs_either():
    """After an hour of nothing a run gets as many turns as after the start."""
    clock, throttle = SteppingClock(), Throttle(1, burst=3)
    moments(throttle, clock, 5)
    clock.time = 3600

    assert admitted(throttle, clock, 5) == [(3600, 3), (3601, 1), (3602, 1)]


def test_messages_and_runs_take_turns_from_one_another():
    """One instance has one rate, whichever way its messages come."""
    clock, throttle = SteppingClock(), Throttle(1, burst=3)

    assert moments(throttle, clock, 1) == [0]
    assert admitted(throttle, clock, 3) == [(0, 2), (1, 1)]
    assert moments(throttle, clock, 1) == [2]


@pytest.mark.parametrize("burst", [1, 3, 10, 49, 1000])
@pytest.mark.parametrize("rate", [0.1, 3, 7, 1000, 333_333])
def test_no_turn_is_lost_to_rounding(rate, burst):
    """However the interval is rounded, the whole burst goes in one piece."""
    clock = SteppingClock()
    clock.time = 1234.5678

    assert admitted(Throttle(rate, burst), clock, burst) == [(1234.5678, burst)]


def test_turns_that_are_given_back_are_taken_again():
    """What comes through the chain after all takes the turns that its run had."""
    clock, throttle = SteppingClock(), Throttle(1, burst=4)
    throttle.give_back(throttle.admit(make_message(clock).context, 3))

    assert moments(throttle, clock, 5) == [0, 0, 0, 0, 1]


def test_wait_of_a_run_ends_when_its_partition_goes():
    """Nothing of it goes."""
    clock, throttle = SteppingClock(), Throttle(1)
    moments(throttle, clock, 1)
    message = make_message(clock)
    clock.on_wait = lambda: revoke_partition(message)

    with pytest.raises(Cancelled):
        throttle.admit(message.context, 5)
