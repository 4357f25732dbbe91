"""How a process ends."""

import pytest

from millstream.router import (
    Cancelled,
    ConfigurationError,
    ExitCode,
    HaltedError,
    RecoveredPanicError,
    StateError,
    UndrainedError,
    exit_on_error,
)

ENDINGS = [
    pytest.param(ConfigurationError("wrong"), 2, id="configuration"),
    pytest.param(HaltedError("wrong"), 4, id="halted"),
    pytest.param(UndrainedError(["wrong"], 1.0), 5, id="undrained"),
    pytest.param(Cancelled("wrong"), 5, id="called-off"),
]
BUGS = [StateError("oops"), RecoveredPanicError(SystemExit("oops"), "trace"), ValueError("oops")]


def test_exit_codes_are_the_documented_numbers():
    """Scripts depend on them: they never change."""
    assert {code.name: int(code) for code in ExitCode} == {
        "CLEAN": 0,
        "BUG": 1,
        "USAGE": 2,
        "POISONED": 3,
        "HALTED": 4,
        "UNDRAINED": 5,
    }


@pytest.mark.parametrize(("error", "code"), ENDINGS)
def test_program_ends_in_one_line_with_the_code_of_its_error(capsys, error, code):
    """What people have to mend is told to them, not shown to developers."""
    with pytest.raises(SystemExit) as ended, exit_on_error():
        raise error

    assert ended.value.code == code
    assert capsys.readouterr().err == f"{error}\n"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: type(bug).__name__)
def test_bug_keeps_its_traceback(bug):
    """It comes out of the block as it is, and Python ends with code 1."""
    with pytest.raises(type(bug)) as caught, exit_on_error():
        raise bug

    assert caught.value is bug
    assert ExitCode.of(bug) == 1


def test_block_without_an_error_changes_nothing(capsys):
    """Whatever comes behind it runs."""
    with exit_on_error():
        pass

    assert capsys.readouterr() == ("", "")
