"""How a process ends."""

from millstream.router import ExitCode


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
