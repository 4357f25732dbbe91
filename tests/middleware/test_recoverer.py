"""What becomes of a handler that raises more than an error."""

import asyncio

import pytest

from millstream.middleware import Recoverer, Retry
from millstream.router import Cancelled, PermanentError, RecoveredPanicError
from millstream.router.testing import RecordingHandler
from tests.middleware.middleware_aids import Panic, SteppingClock, make_message


@pytest.mark.parametrize("panic", [Panic("index out of range"), asyncio.CancelledError()], ids=["panic", "asyncio"])
def test_panic_becomes_an_error(panic):
    """The error has what was raised, as its cause too, and says where."""
    with pytest.raises(RecoveredPanicError, match=type(panic).__name__) as caught:
        Recoverer()(RecordingHandler([panic]))(make_message())

    assert caught.value.value is panic
    assert caught.value.__cause__ is panic
    assert "recording_handler.py" in caught.value.stacktrace


@pytest.mark.parametrize(
    "passing",
    [
        pytest.param(ValueError("bad row"), id="an-error"),
        pytest.param(PermanentError("bad row"), id="our-error"),
        pytest.param(Cancelled(), id="cancelled"),
        pytest.param(KeyboardInterrupt(), id="ctrl-c"),
        pytest.param(SystemExit(3), id="exit"),
        pytest.param(GeneratorExit(), id="generator-closed"),
    ],
)
def test_errors_and_signals_pass_unchanged(passing):
    """An error needs no recovery, and a signal is meant to be heard further up."""
    with pytest.raises(type(passing)) as caught:
        Recoverer()(RecordingHandler([passing]))(make_message())

    assert caught.value is passing


def test_panic_is_retried_like_an_error():
    """A panic may come of the moment, so a retry outside the recoverer tries again."""
    handler = RecordingHandler([Panic("once")], answer=lambda _: ["done"])

    produced = Retry()(Recoverer()(handler))(make_message(SteppingClock()))

    assert produced == ["done"]
