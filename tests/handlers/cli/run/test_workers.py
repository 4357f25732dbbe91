"""How workers are kept going and end together: no process, no clock."""

import signal

import pytest

from millstream.handlers.cli.run.workers import (
    END_SECONDS,
    FIRST_SECONDS,
    GRACE_SECONDS,
    HEALTHY_SECONDS,
    MAX_SECONDS,
    Workers,
    worst,
)
from millstream.handlers.events.service import LAST_INSERT_SECONDS
from millstream.router.running.supervisor import ABORT_SECONDS
from millstream.router.testing import ManualClock

CLOSE_SECONDS = 30.0
KILLED = -signal.SIGKILL


class FakeProcess:
    """A worker that ends when the test says how."""

    def __init__(self, pid):
        self.pid = pid
        self.code = None
        self.told = []
        self.is_killed = False

    def poll(self):
        """Return what the test has set."""
        return self.code

    def tell(self, signum):
        """Remember it."""
        self.told.append(signum)

    def kill(self):
        """Remember it, and end of it."""
        self.is_killed = True
        self.code = KILLED


class Crew:
    """Workers whose processes a test ends, and whose clock it moves."""

    def __init__(self, count=3, **options):
        self.clock = ManualClock()
        self.started = []
        """The numbers, in the order of their starts."""
        self.refusals = 0
        """How many of the next starts fail."""
        self._processes = {}
        self.workers = Workers(count, self._start, close_timeout=CLOSE_SECONDS, clock=self.clock, **options)
        self.workers.look()

    def _start(self, number):
        if self.refusals:
            self.refusals -= 1
            raise BlockingIOError("no more processes")
        self.started.append(number)
        self._processes[number] = FakeProcess(1000 + len(self.started))
        return self._processes[number]

    def of(self, number):
        """Return the process of a worker, its last."""
        return self._processes[number]

    def end(self, number, code):
        """End a worker, and have it noticed."""
        self.of(number).code = code
        return self.workers.look()

    def end_all(self, *codes):
        """End the workers in order."""
        for number, code in enumerate(codes, 1):
            self.end(number, code)

    def let_pass(self, seconds):
        """Let time pass, and have a look."""
        self.clock.advance(seconds)
        return self.workers.look()


def test_all_are_started_at_once():
    """Each under its number; then there is nothing to do but wait."""
    crew = Crew()

    assert crew.started == [1, 2, 3]
    assert crew.workers.look() is None
    assert not crew.workers.is_done


@pytest.mark.parametrize(
    "code", [KILLED, -signal.SIGSEGV, 1, 0, 5], ids=["killed", "crash", "bug", "left", "undrained"]
)
def test_a_worker_that_ends_by_itself_is_started_again(code):
    """However it ended, but for what starting again cannot mend; at once, when it ran well before. The others go on."""
    crew = Crew()
    crew.let_pass(HEALTHY_SECONDS)
    crew.end(2, code)

    assert crew.started == [1, 2, 3, 2]
    assert not crew.of(1).told
    assert not crew.workers.is_done


def test_one_that_ends_again_and_again_is_waited_for_ever_longer():
    """Up to a limit; the waits are those of that worker alone."""
    crew, waits = Crew(count=2), []
    for _ in range(10):
        waits.append(crew.end(1, KILLED))
        crew.let_pass(waits[-1])

    assert crew.started == [1, 2] + [1] * 10
    assert waits[0] == pytest.approx(FIRST_SECONDS, rel=0.2)
    assert waits[3] == pytest.approx(8 * FIRST_SECONDS, rel=0.2)
    assert waits[-1] == pytest.approx(MAX_SECONDS, rel=0.2)


def test_waits_begin_anew_after_a_while_of_health():
    """What was long ago says nothing about today."""
    crew = Crew(count=1)
    for _ in range(5):
        crew.let_pass(crew.end(1, KILLED))
    crew.let_pass(HEALTHY_SECONDS + 1.0)  # more than what adding up the waits is wrong by
    at_once = crew.end(1, KILLED)
    first = crew.end(1, KILLED)

    assert at_once is None
    assert first == pytest.approx(FIRST_SECONDS, rel=0.2)


def test_a_worker_that_cannot_be_started_is_tried_again(log_lines):
    """A machine without room for a process may have some later."""
    crew = Crew(count=1)
    crew.refusals = 1
    crew.let_pass(HEALTHY_SECONDS)
    wait = crew.end(1, KILLED)
    crew.let_pass(wait)

    assert crew.started == [1, 1]
    assert any("worker 1 cannot be started, trying again: no more processes" in line for line in log_lines)


@pytest.mark.parametrize("code", [2, 4], ids=["configuration", "halted"])
def test_what_starting_again_does_not_mend_ends_all(code):
    """The others are told to end in order, and the exit code is that of the one that could not go on."""
    crew = Crew()
    crew.end(2, code)
    told = [crew.of(number).told for number in (1, 3)]
    crew.end(1, 0)
    crew.end(3, 5)

    assert told == [[signal.SIGTERM]] * 2
    assert crew.started == [1, 2, 3]
    assert crew.workers.is_done
    assert crew.workers.code == code


def test_the_first_signal_ends_all_in_order_and_nobody_is_started_again():
    """Also not who was waited for; each is told the signal once."""
    crew = Crew()
    crew.end(2, KILLED)
    crew.workers.hear(signal.SIGINT)
    told = [crew.of(number).told for number in (1, 3)]
    crew.end(1, 0)
    crew.let_pass(MAX_SECONDS)
    crew.end(3, 0)

    assert told == [[signal.SIGINT]] * 2
    assert crew.started == [1, 2, 3]
    assert crew.workers.is_done
    assert crew.workers.code == 128 + signal.SIGKILL


def test_the_second_signal_ends_all_at_once():
    """It is told again; who does not listen is killed. The exit code says that it was a signal, whoever else ended how."""
    crew = Crew()
    crew.workers.hear(signal.SIGTERM)
    crew.workers.hear(signal.SIGTERM)
    told = [crew.of(number).told for number in (1, 2, 3)]
    crew.end(1, 0)
    crew.end(2, 128 + signal.SIGTERM)
    crew.let_pass(END_SECONDS)
    crew.workers.look()

    assert told == [[signal.SIGTERM] * 2] * 3
    assert [crew.of(number).is_killed for number in (1, 2, 3)] == [False, False, True]
    assert crew.workers.is_done
    assert crew.workers.code == 128 + signal.SIGTERM


def test_after_a_second_signal_a_worker_has_the_time_that_it_gives_itself():
    """Killed before, it would lose commits, or take an engine down in the middle of an INSERT."""
    assert END_SECONDS > ABORT_SECONDS + LAST_INSERT_SECONDS


def test_a_worker_that_does_not_end_in_time_is_killed():
    """One that is frozen must not keep the service from ending; until then it has all the time that its router has."""
    crew = Crew(count=1)
    crew.workers.hear(signal.SIGTERM)
    left = crew.let_pass(CLOSE_SECONDS)
    before = crew.of(1).is_killed
    crew.let_pass(GRACE_SECONDS)

    assert left == GRACE_SECONDS
    assert (before, crew.of(1).is_killed) == (False, True)


@pytest.mark.parametrize("code", [-signal.SIGTERM, 128 + signal.SIGTERM], ids=["by signal", "by exit code"])
def test_a_worker_that_had_not_begun_has_ended_in_order(code):
    """Before there is a router a signal ends a process at once, and nothing is lost by it."""
    crew, once = Crew(count=1), Crew(count=1, once=True)
    for each in (crew, once):
        each.workers.hear(signal.SIGTERM)
        each.end(1, code)

    assert crew.workers.code == 0
    assert once.workers.code == 5, "with --once there was something to do"


def test_with_once_who_was_stopped_before_the_end_is_not_done():
    """Told by us it says so in the exit code of all; stopped by somebody else it is started again, as its part is left."""
    crew = Crew(count=2, once=True)
    crew.end(1, 5)
    crew.let_pass(1.0)
    started = list(crew.started)
    crew.workers.hear(signal.SIGTERM)
    crew.end_all(5, 0)

    assert started == [1, 2, 1]
    assert crew.workers.is_done
    assert crew.workers.code == 5


@pytest.mark.parametrize(("codes", "code"), [((0, 0, 0), 0), ((0, 3, 0), 3)], ids=["clean", "poisoned"])
def test_with_once_who_is_done_is_not_started_again(codes, code):
    """The end of all is the end; one that is killed before has not done its part."""
    crew = Crew(once=True)
    crew.end(2, KILLED)
    crew.let_pass(1.0)
    crew.end_all(*codes)

    assert crew.started == [1, 2, 3, 2]
    assert crew.workers.is_done
    assert crew.workers.code == code


def test_with_once_a_bug_ends_all():
    """It would come again with the same messages, and the command never end."""
    crew = Crew(once=True)
    crew.end(1, 1)

    assert crew.of(2).told == [signal.SIGTERM]
    assert crew.started == [1, 2, 3]


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([0, 3], 3),
        ([3, 5, 0], 5),
        ([5, 137], 137),
        ([137, 2], 2),
        ([2, 4], 4),
        ([4, 1], 1),
    ],
    ids=str,
)
def test_the_worst_exit_code(codes, code):
    """Something set aside, too slow, killed, a wrong setting, halted, a bug: in whatever order."""
    assert worst(codes) == worst(codes[::-1]) == code
