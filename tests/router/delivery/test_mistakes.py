"""Which errors are told with their traceback, and how often."""

import contextlib

import pytest

from millstream.router import ConfigurationError, PermanentError, RecoveredPanicError, TransientError
from millstream.router.delivery.mistakes import Mistakes
from millstream.router.running.runner import Nacked


class Panic(BaseException):
    """Past every `except Exception`."""


def raised(error):
    """Return *error* with a traceback of this place."""
    with contextlib.suppress(type(error)):
        raise error
    return error


def raised_elsewhere(error):
    """Return *error* with a traceback of another place."""
    with contextlib.suppress(type(error)):
        raise error
    return error


def count_tracebacks(log_lines):
    """Return how many lines have a traceback below them."""
    return sum(line.count("Traceback (most recent call last)") for line in log_lines)


def test_a_mistake_is_told_in_full_once(log_lines):
    """However often it comes again; its name and its text stand in the line itself."""
    mistakes = Mistakes("handler 'h'")
    for _ in range(3):
        mistakes.tell(raised(TypeError("not a {dict}")))

    (line,) = log_lines
    assert line.splitlines()[0] == (
        "ERROR handler 'h' failed in its own code, told in full this once: TypeError: not a {dict}"
    )
    assert "test_mistakes.py" in line
    assert count_tracebacks(log_lines) == 1


def test_each_place_and_each_kind_is_told(log_lines):
    """Another line of the same function is another mistake, and so is another error of the same line."""
    mistakes = Mistakes("h")
    for error in [raised(TypeError("a")), raised_elsewhere(TypeError("b")), raised(KeyError("c"))] * 2:
        mistakes.tell(error)

    assert [line.splitlines()[0].rpartition(": ")[2] for line in log_lines] == ["a", "b", "'c'"]
    assert count_tracebacks(log_lines) == 3


EXPECTED = [
    pytest.param(PermanentError("bad row"), id="permanent"),
    pytest.param(TransientError("away"), id="transient"),
    pytest.param(ConfigurationError("no such table"), id="configuration"),
    pytest.param(ConnectionResetError("reset"), id="of the system"),
    pytest.param(TimeoutError(), id="timeout"),
    pytest.param(Nacked(), id="nacked"),
]


@pytest.mark.parametrize("error", EXPECTED)
def test_what_says_itself_what_to_do_has_no_traceback(error, log_lines):
    """It is no mistake in anybody's code; nor is what was never raised."""
    mistakes = Mistakes("h")
    mistakes.tell(error if isinstance(error, Nacked) else raised(error))
    mistakes.tell(TypeError("never raised"))

    assert log_lines == []


def test_of_a_panic_what_was_raised_is_told(log_lines):
    """`Recoverer` has made it an error of ours."""
    Mistakes("h").tell(RecoveredPanicError(raised(Panic("oh")), "stack"))

    assert "Panic: oh" in log_lines[0]
    assert count_tracebacks(log_lines) == 1


def test_code_that_fails_everywhere_does_not_fill_the_log(log_lines):
    """Past the limit there are no more tracebacks, and no more places are kept."""
    mistakes = Mistakes("h", limit=2)
    for kind in (TypeError, KeyError, ValueError, NameError):
        mistakes.tell(raised(kind()))

    assert count_tracebacks(log_lines) == 2
