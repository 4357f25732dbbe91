"""When the process of `--reload` is started again, and how it ends."""

import signal
from pathlib import Path

import pytest

from millstream.handlers.cli.run.reloading import Reloading
from millstream.handlers.cli.run.workers import END_SECONDS, GRACE_SECONDS
from millstream.router.testing import ManualClock

APP = Path("app.py")


class FakeProcess:
    """A process that ends when the test says so."""

    def __init__(self, pid):
        self.pid = pid
        self.code = None
        self.told = []
        self.is_killed = False

    def poll(self):
        """Return how it ended."""
        return self.code

    def tell(self, signum):
        """Note the signal."""
        self.told.append(signum)

    def kill(self):
        """Note it."""
        self.is_killed = True


class Stage:
    """A `Reloading` whose files, processes and clock are the test's."""

    def __init__(self):
        self.files = {APP: (1, 1)}
        self.processes = []
        self.clock = ManualClock()
        self.reloading = Reloading(self._start, lambda: dict(self.files), close_timeout=5.0, clock=self.clock)

    def _start(self):
        self.processes.append(FakeProcess(len(self.processes) + 1))
        return self.processes[-1]

    def write(self):
        """Change the file, and look until that is taken in."""
        self.files[APP] = (self.files[APP][0] + 1, 1)
        self.reloading.look()
        self.reloading.look()

    def end(self, code):
        """Let the last process end."""
        self.processes[-1].code = code
        self.reloading.look()


@pytest.fixture
def stage():
    """One whose process has started."""
    return Stage()


def test_a_change_ends_the_process_in_order_and_starts_another(stage, log_lines):
    """The next one begins only when the one before has ended: it has flushed and left its group."""
    stage.write()
    told, started = list(stage.processes[0].told), len(stage.processes)
    stage.end(0)

    assert (told, started) == ([signal.SIGTERM], 1)
    assert len(stage.processes) == 2
    assert any("files changed, starting again" in line for line in log_lines)


def test_a_change_while_it_ends_is_no_second_signal(stage):
    """That would end it at once; what starts next has the change."""
    stage.write()
    stage.write()
    stage.end(5)

    assert stage.processes[0].told == [signal.SIGTERM]
    assert len(stage.processes) == 2


@pytest.mark.parametrize("code", [1, 2, 4, -9])
def test_a_process_that_fails_is_started_again_with_the_next_change(stage, log_lines, code):
    """As by a broken import: it is said, and nothing spins meanwhile."""
    stage.end(code)
    for _ in range(5):
        stage.reloading.look()
    started = len(stage.processes)
    stage.write()

    assert started == 1
    assert not stage.reloading.is_done
    assert len([line for line in log_lines if "waiting for a change" in line]) == 1
    assert len(stage.processes) == 2


@pytest.mark.parametrize("code", [0, 3])
def test_a_process_that_has_done_its_work_is_the_end(stage, code):
    """As with --once: its exit code is the whole one."""
    stage.end(code)

    assert stage.reloading.is_done
    assert stage.reloading.code == code


def test_a_signal_ends_it_in_order_and_its_exit_code_is_the_whole_one(stage):
    """Files that change meanwhile start nothing."""
    stage.reloading.hear(signal.SIGINT)
    stage.write()
    is_waiting = not stage.reloading.is_done
    stage.end(5)

    assert is_waiting
    assert stage.processes[0].told == [signal.SIGINT]
    assert (stage.reloading.is_done, stage.reloading.code, len(stage.processes)) == (True, 5, 1)


def test_a_second_signal_ends_it_at_once(stage):
    """One that does not is killed; the exit code is that of the signal, as it is without `--reload`."""
    stage.reloading.hear(signal.SIGTERM)
    stage.reloading.hear(signal.SIGTERM)
    stage.clock.advance(END_SECONDS)
    stage.reloading.look()
    is_killed = stage.processes[0].is_killed
    stage.end(-9)

    assert stage.processes[0].told == [signal.SIGTERM, signal.SIGTERM]
    assert is_killed
    assert (stage.reloading.is_done, stage.reloading.code) == (True, 128 + signal.SIGTERM)


def test_a_second_signal_is_the_exit_code_however_the_process_ends(stage):
    """As it may just have been ready."""
    stage.reloading.hear(signal.SIGTERM)
    stage.reloading.hear(signal.SIGINT)
    stage.end(0)

    assert (stage.reloading.is_done, stage.reloading.code) == (True, 128 + signal.SIGINT)


def test_a_process_that_has_not_begun_yet_ends_in_order(stage):
    """It dies of what it was told, as nobody listens yet; of something else it would be no clean end."""
    stage.reloading.hear(signal.SIGTERM)
    stage.end(-signal.SIGTERM)

    assert (stage.reloading.is_done, stage.reloading.code) == (True, 0)


def test_a_signal_while_it_ends_for_a_change_is_its_first(stage):
    """It was told by us, not by the user: it still ends in order, and then for good."""
    stage.write()
    stage.reloading.hear(signal.SIGINT)
    stage.end(0)

    assert stage.processes[0].told == [signal.SIGTERM]
    assert (stage.reloading.is_done, len(stage.processes)) == (True, 1)


def test_a_signal_while_nothing_runs_is_the_end(stage):
    """With the exit code of what failed."""
    stage.end(2)
    stage.reloading.hear(signal.SIGINT)

    assert (stage.reloading.is_done, stage.reloading.code) == (True, 2)


def test_a_process_that_does_not_end_is_killed_and_started_again(stage):
    """After its own limit and some seconds: somebody waits for the new one."""
    stage.write()
    stage.clock.advance(5.0 + GRACE_SECONDS - 0.1)
    stage.reloading.look()
    is_early = stage.processes[0].is_killed
    stage.clock.advance(0.2)
    stage.reloading.look()
    is_killed = stage.processes[0].is_killed
    stage.end(-9)

    assert (is_early, is_killed) == (False, True)
    assert len(stage.processes) == 2
