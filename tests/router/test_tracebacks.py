"""Letting go of what an error has seen, with no help from the cyclic garbage collector."""

import gc
import types

import pytest

from millstream.router import PermanentError, PoisonTopic, Router, RouterConfig
from millstream.router.poison import sink_worker
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, eventually
from millstream.router.tracebacks import forget_traceback
from tests.router.circles import Circles

AT_ONCE = RouterConfig(nack_resend_delay=0.0)


@pytest.fixture
def circles():
    """Errors in circles with their frames, while no garbage collector ends any."""
    gc.collect()
    gc.disable()
    yield Circles()
    gc.enable()


def caught(act):
    """Return what *act* raises."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is
        act()
    return raised.value


def test_frames_of_an_error_let_go_of_what_they_had(circles):
    """Expect an error that its own frame refers to, and one of an attempt before it, to keep nothing."""
    error = caught(circles.fail)
    before = circles.alive
    forget_traceback(error)

    assert before == 1
    assert circles.alive == 0
    assert error.__traceback__ is None


def handing_out(errors):
    """Yield to who asks, keep the errors that are met, and go on."""
    while True:
        try:
            value = yield len(errors)
            if value == "bad":
                raise ValueError("bad")
        except ValueError as error:
            errors.append(error)


@types.coroutine
def pause():
    """Wait for whoever drives the coroutine."""
    return (yield)


async def awaiting(errors):
    """Do the same as a coroutine."""
    while True:
        try:
            value = await pause()
            if value == "bad":
                raise ValueError("bad")
        except ValueError as error:
            errors.append(error)


@pytest.mark.parametrize("make", [handing_out, awaiting])
@pytest.mark.parametrize("meet", ["inside", "thrown in"])
def test_what_has_handed_an_error_out_goes_on(make, meet):
    """A generator or a coroutine of the user's that waits again is not closed with the frames of its error."""
    errors = []
    stage = make(errors)
    stage.send(None)
    for number in range(1, 4):
        stage.send("bad") if meet == "inside" else stage.throw(ValueError("bad"))
        forget_traceback(errors[-1])
        assert len(errors) == number
        assert errors[-1].__traceback__ is None
    stage.send("good")
    stage.close()


def test_a_generator_that_has_ended_lets_go(circles):
    """Its frame is as any other."""

    def stage():
        yield 1
        circles.fail()

    error = caught(lambda: list(stage()))
    before = circles.alive
    forget_traceback(error)

    assert (before, circles.alive) == (1, 0)


def test_what_led_to_it_lets_go_as_well(circles):
    """Expect causes, contexts and the errors of a group to keep nothing."""

    def caused():
        try:
            circles.fail()
        except ValueError as error:
            raise KeyError("caused") from error

    def met():
        try:
            circles.fail()
        except ValueError:
            raise KeyError("met")  # noqa: B904 - on purpose

    group = ExceptionGroup("both", [caught(caused), caught(met), caught(circles.fail)])
    before = circles.alive
    forget_traceback(group)

    assert (before, circles.alive) == (3, 0)


def test_error_that_has_led_to_itself_is_let_go():
    """Expect a chain without an end to have one here."""
    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    forget_traceback(first)

    assert first.__traceback__ is None


def test_frames_that_run_keep_their_variables(circles):
    """Expect whoever asks from within a function that the error went through to go on."""
    kept = ["kept"]
    try:
        circles.fail()
    except ValueError as error:
        forget_traceback(error)

    assert kept == ["kept"]
    assert circles.alive == 0


def test_failing_handler_keeps_one_attempt_at_most(circles):
    """Expect each redelivery to let go of what the attempt before it had, and success of the last."""
    handler, subscriber, router = RecordingHandler(answer=circles.fail), FakeSubscriber(), Router(AT_ONCE)
    router.add_consumer_handler("h", "t", subscriber, handler, poison="redeliver")
    router.start()
    subscriber.subscription.deliver(b"bad")
    assert eventually(lambda: circles.failed > 5)
    while_failing = circles.alive
    router.close()

    assert while_failing <= 2  # one of them in hand


def test_poison_record_that_cannot_be_written_keeps_no_attempt(circles, monkeypatch):
    """Expect nothing to be kept while the sink waits to try again."""
    monkeypatch.setattr(sink_worker, "RETRY_SECONDS", 0.005)
    publisher, subscriber, router = RecordingPublisher(), FakeSubscriber(), Router(AT_ONCE)
    monkeypatch.setattr(publisher, "publish", circles.fail)
    handler = RecordingHandler([PermanentError("bad")])
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))
    router.start()
    subscriber.subscription.deliver(b"bad")
    assert eventually(lambda: circles.failed > 5)
    alive = circles.alive
    monkeypatch.undo()
    router.close()

    assert alive <= 1  # in hand
