"""Asking brokers that are only just coming up."""

import pytest

from millstream.handlers.cli.dlq.asking import ask_again
from millstream.router import TransientError
from millstream.router.testing import ManualClock


def answers(*those):
    """Return a question that is answered so, one after the other."""
    left = list(those)

    def ask():
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


def test_what_passes_is_asked_again():
    """A coordinator that is only starting says no more than that it is none."""
    clock = ManualClock()
    question = answers(TransientError("Not coordinator"), TransientError("Coordinator load in progress"), 17)

    assert ask_again(question, clock, clock.advance) == 17


@pytest.mark.parametrize(("given", "seconds"), [({}, 30.0), ({"seconds": 5.0}, 5.0)])
def test_what_does_not_pass_is_told(given, seconds):
    """After half a minute, or the time that is given."""
    clock = ManualClock()
    with pytest.raises(TransientError, match="down"):
        ask_again(answers(*[TransientError("down")] * 999), clock, clock.advance, **given)

    assert clock.now() == pytest.approx(seconds)
