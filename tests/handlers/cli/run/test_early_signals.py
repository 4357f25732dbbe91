"""A signal while there is no router yet."""

import contextlib
import os
import signal

import pytest

from millstream.handlers.cli.run.early_signals import SIGNALS, ends_in_order
from millstream.router import ExitCode, ForcedExit


@pytest.fixture(autouse=True)
def put_back():
    """Who listens afterwards is who did before."""
    before = [signal.getsignal(each) for each in SIGNALS]
    yield
    assert [signal.getsignal(each) for each in SIGNALS] == before


def get(signum, close):
    """Get a signal with something open that *close* closes; what goes wrong on the way is taken for an outage."""
    try:
        with contextlib.suppress(Exception):
            os.kill(os.getpid(), signum)
    finally:
        close("in order")


@pytest.mark.parametrize("signum", SIGNALS)
def test_the_first_signal_ends_it_in_order(signum, log_lines):
    """With the exit code that it is given, and what was opened closed, whatever takes an Exception on the way."""
    closed = []
    with pytest.raises(SystemExit) as ended, ends_in_order(ExitCode.UNDRAINED):
        get(signum, closed.append)

    assert ended.value.code == 5
    assert closed == ["in order"]
    assert log_lines == ["INFO ended by a signal before anything was consumed"]


def test_a_second_signal_ends_it_at_once():
    """Where closing takes too long."""
    with pytest.raises(ForcedExit) as ended, ends_in_order(ExitCode.CLEAN):
        get(signal.SIGINT, lambda _: os.kill(os.getpid(), signal.SIGTERM))

    assert ended.value.code == 128 + signal.SIGTERM


def test_an_interrupt_that_a_script_has_ignored_is_heard():
    """As a router hears it: what a shell without job control starts with `&` inherits that."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(SystemExit), ends_in_order(ExitCode.CLEAN):
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_who_listens_inside_hears_it_instead():
    """As the router does once it has started, also after its end."""
    heard = []
    before = signal.getsignal(signal.SIGTERM)
    with ends_in_order(ExitCode.CLEAN):
        own = lambda signum, _frame: heard.append(signum)  # noqa: E731 - compared below
        signal.signal(signal.SIGTERM, own)
        os.kill(os.getpid(), signal.SIGTERM)
    after = signal.signal(signal.SIGTERM, before)

    assert heard == [signal.SIGTERM]
    assert after is own
