"""A thread that never dies unnoticed."""

import threading

import pytest
from loguru import logger

from millstream.router import MONOTONIC, ConfigurationError
from millstream.router.testing import eventually
from millstream.router.worker_thread import WorkerThread


def in_ten_seconds():
    """Return a deadline that no test reaches."""
    return MONOTONIC.now() + 10.0


def test_error_is_kept_for_the_owner():
    """Whatever the target raises, also what is no `Exception`, is found in `error`."""
    thread = WorkerThread("t", lambda: (_ for _ in ()).throw(SystemExit(3)))
    thread.start()

    assert thread.join(in_ten_seconds())
    assert isinstance(thread.error, SystemExit)
    assert not thread.is_alive


def test_start_twice_starts_once():
    """A second start, also from another thread, does nothing."""
    calls, go_on = [], threading.Event()
    thread = WorkerThread("t", lambda: calls.append(go_on.wait(10)))
    starters = [threading.Thread(target=thread.start) for _ in range(8)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join(10)
    go_on.set()

    assert thread.join(in_ten_seconds())
    assert calls == [True]


def test_thread_that_never_began_counts_as_ended():
    """Who was not started need not be waited for."""
    thread = WorkerThread("t", lambda: None)

    assert thread.join(MONOTONIC.now())
    assert not thread.is_alive


def test_join_gives_up_at_its_deadline():
    """The answer says that it has not ended."""
    go_on = threading.Event()
    thread = WorkerThread("t", lambda: go_on.wait(10) and None)
    thread.start()
    in_time = thread.join(MONOTONIC.now() + 0.01)
    go_on.set()

    assert in_time is False
    assert thread.join(in_ten_seconds())


def test_a_thread_does_not_wait_for_itself():
    """A join from inside returns at once and says that it goes on."""
    answers = []
    thread = WorkerThread("t", lambda: answers.append((thread.is_current, thread.join(in_ten_seconds()))))
    thread.start()

    assert eventually(lambda: answers)
    assert answers == [(True, False)]
    assert thread.join(in_ten_seconds())
    assert thread.error is None


def test_thread_keeps_no_process_alive():
    """It is a daemon with the name that it was given."""
    seen = []
    thread = WorkerThread("named", lambda: seen.append(threading.current_thread()))
    thread.start()
    thread.join(in_ten_seconds())

    assert (seen[0].name, seen[0].daemon) == ("named", True)


@pytest.mark.parametrize(
    ("error", "level", "has_traceback"),
    [(ValueError("oops"), "ERROR", True), (ConfigurationError("mend it"), "DEBUG", False)],
    ids=["a bug", "no bug"],
)
def test_death_is_told_with_a_traceback_when_it_is_a_bug(error, level, has_traceback):
    """What people have to mend is told once, by the owner, and not by each thread that met it."""
    records = []
    sink = logger.add(lambda message: records.append(message.record), level="DEBUG")
    logger.enable("millstream")

    def die():
        raise error

    thread = WorkerThread("t", die)
    thread.start()
    assert thread.join(in_ten_seconds())
    logger.disable("millstream")
    logger.remove(sink)

    assert [(record["level"].name, record["exception"] is not None) for record in records] == [(level, has_traceback)]
