"""Recover, retry, poison: composed in the one order that works."""

import pytest

from millstream.middleware import FailurePolicy, Retry
from millstream.router import PermanentError, PoisonTopic, RecoveredPanicError, Router, TransientError
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, running
from tests.middleware.middleware_aids import FakeSink, Panic, SteppingClock, make_message


def test_panic_is_retried_then_poisoned():
    """The recoverer is innermost and the sink outermost, so a panic takes the whole way."""
    clock, sink, handler = SteppingClock(), FakeSink(), RecordingHandler([Panic("boom")] * 9)
    message = make_message(clock, sink=sink)

    FailurePolicy()(handler)(message)

    assert len(handler.messages) == 4
    assert message.context.values["attempts"] == 4
    ((_, error),) = sink.taken
    assert isinstance(error, RecoveredPanicError)


def test_panic_reaches_the_poison_topic_of_a_router():
    """The handler's thread survives, the record names the panic, the next message is handled."""
    publisher, subscriber = RecordingPublisher(), FakeSubscriber()
    handler = RecordingHandler([Panic("boom"), Panic("boom")])
    router = Router()
    router.add_middleware(FailurePolicy(retry=Retry(max_retries=1, initial_interval=0)))
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscriber.subscription.deliver(b"x", b"y")
        assert subscriber.subscription.wait_committed(2)

    (record,) = publisher.messages("dlq")
    assert handler.payloads == [b"x", b"x", b"y"]
    assert record.metadata["error_class_poisoned"] == "RecoveredPanicError"
    assert record.metadata["reason_poisoned"] == "panic in a handler: Panic: boom"
    assert record.metadata["attempts_poisoned"] == "2"


def test_permanent_error_is_poisoned_at_once():
    """No retry for what will fail again."""
    clock, sink, handler = SteppingClock(), FakeSink(), RecordingHandler([PermanentError("bad row")])

    FailurePolicy()(handler)(make_message(clock, sink=sink))

    assert len(handler.messages) == len(sink.taken) == 1
    assert clock.waits == []


def test_retry_may_be_left_out():
    """`retry=None` poisons at the first error."""
    sink, handler = FakeSink(), RecordingHandler([TransientError("busy")])

    FailurePolicy(retry=None)(handler)(make_message(sink=sink))

    assert len(handler.messages) == len(sink.taken) == 1


def test_poison_may_be_left_out():
    """Then the last error passes on, and the router asks for no sink."""
    policy = FailurePolicy(retry=None, poison=False)

    with pytest.raises(TransientError):
        policy(RecordingHandler([TransientError("busy")]))(make_message(sink=FakeSink()))
    assert (policy.needs_poison_sink, FailurePolicy().needs_poison_sink) == (False, True)


def test_recovering_may_be_left_out():
    """Then a panic passes everything."""
    sink = FakeSink()

    with pytest.raises(Panic):
        FailurePolicy(recover=False)(RecordingHandler([Panic("boom")]))(make_message(sink=sink))

    assert sink.taken == []
