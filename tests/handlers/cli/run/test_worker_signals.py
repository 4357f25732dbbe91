"""What a worker makes of its parent's words and of signals that others send it. Real signals, to this process."""

import os
import signal
import subprocess
import threading
import time

import pytest

from millstream.handlers.cli.run.worker_signals import WorkerSignals
from millstream.router import ForcedExit
from millstream.router.testing import eventually
from tests.handlers.cli.command_aids import command, environment

TIMEOUT = 20.0


class FakeRouter:
    """Remembers how it was closed."""

    is_closed = False

    def __init__(self):
        self.closings = self.aborts = 0

    def request_close(self, *, signal=""):
        """Count it."""
        self.closings += 1

    def abort(self):
        """Count it."""
        self.aborts += 1


class Parent:
    """The other end of a worker's stdin."""

    def __init__(self, signals, end):
        self.signals = signals
        self._end = end

    def say(self, *signums):
        """Say words."""
        os.write(self._end, bytes(signums))

    def go(self):
        """Be gone."""
        os.close(self._end)
        self._end = None

    def close(self):
        """Go, unless that was before."""
        if self._end is not None:
            self.go()


@pytest.fixture
def router():
    """What is closed."""
    return FakeRouter()


@pytest.fixture
def parent(router):
    """The parent of a worker that runs *router*."""
    source, end = os.pipe()
    signals = WorkerSignals(source)
    signals(router)
    signals.listen()
    made = Parent(signals, end)
    yield made
    made.close()
    assert signals.join(time.monotonic() + TIMEOUT)
    signals.restore()
    os.close(source)


def test_the_first_word_closes_in_order(parent, router):
    """As the signal would that the parent got."""
    parent.say(signal.SIGINT)

    assert eventually(lambda: router.closings == 1, TIMEOUT)
    assert router.aborts == 0


def test_signals_of_others_are_one_however_many_come(parent, router):
    """A service manager signals every process, and the parent says it as well: that is no second signal."""
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    parent.say(signal.SIGTERM)
    parent.go()
    parent.signals.join(time.monotonic() + TIMEOUT)

    assert (router.closings, router.aborts) == (1, 0)


def test_the_second_word_ends_at_once(parent, router):
    """Also right behind the first: two signals at once would be delivered as one."""
    with pytest.raises(ForcedExit) as raised:  # noqa: PT012 - the signal is delivered to whatever runs here
        parent.say(signal.SIGTERM, signal.SIGTERM)
        threading.Event().wait(TIMEOUT)

    assert raised.value.code == 128 + signal.SIGTERM
    assert (router.closings, router.aborts) == (1, 1)


def test_who_has_lost_its_parent_closes_in_order(parent, router, log_lines):
    """Nobody would start it again, or tell it to end; and it is said."""
    parent.go()

    assert eventually(lambda: router.closings == 1, TIMEOUT)
    assert router.aborts == 0
    assert any("the parent process has gone" in line for line in log_lines)


def test_a_parent_that_goes_after_its_word_is_no_news(parent, router, log_lines):
    """It was told to end, and need not wait for us."""
    parent.say(signal.SIGTERM)
    assert eventually(lambda: router.closings == 1, TIMEOUT)
    parent.go()
    parent.signals.join(time.monotonic() + TIMEOUT)

    assert (router.closings, router.aborts) == (1, 0)
    assert not any("gone" in line for line in log_lines)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("word", "code"),
    [
        pytest.param(bytes([signal.SIGTERM]), -signal.SIGTERM, id="SIGTERM"),
        pytest.param(bytes([signal.SIGINT]), -signal.SIGINT, id="SIGINT"),
        pytest.param(b"", -signal.SIGTERM, id="parent gone"),
    ],
)
def test_a_worker_that_waits_for_its_store_ends_at_the_first_word(tmp_path, word, code):
    """It has consumed nothing yet, so there is nothing to do in order; it ends without a word of its own."""
    lanes = {"MILLSTREAM_EVENT_PROCESSING__TOPIC_DLQ": "drop", "MILLSTREAM_EVENT_PROCESSING_LAZY__ENABLED": "false"}
    arguments = ["run", "--worker", "1", "--brokers", "127.0.0.1:1", "--store", "http://127.0.0.1:1"]
    with subprocess.Popen(
        command(*arguments),
        cwd=tmp_path,
        env=environment(**lanes),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as worker:
        first = worker.stderr.readline()
        _, rest = worker.communicate(word, 60.0)

    assert b"store down" in first
    assert b"worker=1" in first
    assert worker.returncode == code, rest
    assert b"Traceback" not in rest
