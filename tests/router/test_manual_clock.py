"""The clock that a test moves."""

import threading

import pytest

from millstream.router.testing import ManualClock


class Sleeper:
    """A thread that waits on a clock until a moment."""

    def __init__(self, clock, deadline):
        self.condition = threading.Condition()
        self.is_told = False
        self._clock, self._deadline = clock, deadline
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        with self.condition:
            while not self.is_told and (self._deadline is None or self._clock.now() < self._deadline):
                self._clock.wait_until(self.condition, self._deadline)

    def tell(self):
        """End the wait by a notification."""
        with self.condition:
            self.is_told = True
            self.condition.notify_all()

    def ended(self):
        """Return whether the wait has ended."""
        self._thread.join(10.0)
        return not self._thread.is_alive()

    @property
    def is_waiting(self):
        """Whether the thread has not ended."""
        return self._thread.is_alive()


def test_time_stands_still_until_it_is_advanced():
    """It begins where the test says and moves only by its word."""
    clock = ManualClock(5.0)
    before = (clock.now(), clock.now())

    clock.advance(2.5)

    assert (before, clock.now()) == ((5.0, 5.0), 7.5)


def test_wait_until_a_past_moment_returns_at_once():
    """There is nothing to wait for."""
    clock, condition = ManualClock(5.0), threading.Condition()

    with condition:
        clock.wait_until(condition, 5.0)
        clock.wait_until(condition, 1.0)

    assert not clock.wait_for_waiters(timeout=0.0)


def test_advance_wakes_those_whose_moment_has_come():
    """The others wait on."""
    clock = ManualClock()
    early, late = Sleeper(clock, 1.0), Sleeper(clock, 2.0)
    assert clock.wait_for_waiters(2)

    clock.advance(1.0)

    assert early.ended()
    assert late.is_waiting
    clock.advance(1.0)
    assert late.ended()


def test_waiter_without_a_deadline_hears_notifications_only():
    """No time wakes it, and it does not count as waiting for a moment."""
    clock = ManualClock()
    sleeper, timed = Sleeper(clock, None), Sleeper(clock, 1.0)
    assert clock.wait_for_waiters(1)

    clock.advance(1e9)

    assert timed.ended()
    assert sleeper.is_waiting
    assert not clock.wait_for_waiters(timeout=0.0)
    sleeper.tell()
    assert sleeper.ended()


def test_notified_waiter_is_forgotten():
    """Its moment need not come any more."""
    clock = ManualClock()
    sleeper = Sleeper(clock, 1.0)
    assert clock.wait_for_waiters()

    sleeper.tell()

    assert sleeper.ended()
    assert not clock.wait_for_waiters(timeout=0.0)


def test_advance_to_next_deadline_lets_exactly_the_needed_time_pass():
    """The earliest moment anybody waits for comes."""
    clock = ManualClock(10.0)
    sleepers = [Sleeper(clock, 13.0), Sleeper(clock, 12.0)]
    assert clock.wait_for_waiters(2)

    passed = (clock.advance_to_next_deadline(), clock.now(), sleepers[1].ended())

    assert passed == (2.0, 12.0, True)
    assert (clock.advance_to_next_deadline(), sleepers[0].ended()) == (1.0, True)


def test_advance_to_next_deadline_says_when_nobody_waits():
    """A test that expects a wait that never comes fails with a reason."""
    with pytest.raises(TimeoutError, match="nobody waited"):
        ManualClock().advance_to_next_deadline(timeout=0.0)
