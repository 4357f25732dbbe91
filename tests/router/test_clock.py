"""The real clock."""

import threading
import time

from millstream.router import MONOTONIC


def test_now_is_monotonic_seconds():
    """The wall clock may jump; this one does not."""
    before = time.monotonic()
    now = MONOTONIC.now()

    assert before <= now <= time.monotonic()


def test_wait_until_a_past_moment_returns_at_once():
    """A deadline that is over does not wait, not even for an instant with the lock given away."""
    condition = threading.Condition()
    stolen = []
    thread = threading.Thread(target=lambda: (condition.acquire(), stolen.append(1), condition.release()))

    with condition:
        thread.start()
        MONOTONIC.wait_until(condition, MONOTONIC.now() - 1.0)
        MONOTONIC.wait_until(condition, MONOTONIC.now())
        during = list(stolen)
    thread.join(10.0)

    assert (during, stolen) == ([], [1])


def test_wait_until_ends_at_the_deadline():
    """Nobody notifies: the wait lasts as long as it should."""
    condition = threading.Condition()
    deadline = MONOTONIC.now() + 0.02

    with condition:
        while MONOTONIC.now() < deadline:
            MONOTONIC.wait_until(condition, deadline)

    assert MONOTONIC.now() >= deadline


def test_wait_until_ends_at_a_notification():
    """A wait without an end, and one with a far end, both hear it."""
    condition = threading.Condition()
    ended = []

    def wait(deadline):
        with condition:
            ready.release()
            MONOTONIC.wait_until(condition, deadline)
            ended.append(deadline)

    ready = threading.Semaphore(0)
    deadlines = [None, MONOTONIC.now() + 3600.0]
    threads = [threading.Thread(target=wait, args=(deadline,)) for deadline in deadlines]
    for thread in threads:
        thread.start()
        ready.acquire()
    with condition:
        condition.notify_all()
    for thread in threads:
        thread.join(10.0)

    assert sorted(ended, key=str) == sorted(deadlines, key=str)
