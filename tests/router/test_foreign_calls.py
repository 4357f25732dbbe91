"""The end of a process with a call in hand that nobody can end."""

import subprocess
import sys

import pytest

from tests.handlers.cli.command_aids import environment

pytestmark = pytest.mark.slow  # processes

BEGIN = (
    "import atexit; from millstream.router.foreign_calls import *; atexit.register(print, 'unwound'); print('said')\n"
)


def end_of(program):
    """Run a program; return its exit code and what it has printed."""
    line = [sys.executable, "-c", BEGIN + program]
    done = subprocess.run(line, env=environment(), check=False, capture_output=True, timeout=60)
    return done.returncode, done.stdout.split()


def test_nothing_is_unwound_while_such_a_call_is_in_hand():
    """The exit code is kept, and what was printed is written."""
    assert end_of("with foreign_call():\n    leave_if_calling(7)") == (7, [b"said"])


def test_a_process_without_such_a_call_goes_on():
    """Those that have ended do not count, however they ended."""
    ended = "try:\n    with foreign_call():\n        raise ValueError\nexcept ValueError:\n    leave_if_calling(7)"

    assert end_of(ended) == (0, [b"said", b"unwound"])
