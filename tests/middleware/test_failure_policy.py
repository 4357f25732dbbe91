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


@pytest.mark.parametrize(
    ("raised", "tries"),
    [
        pytest.param(ValueError("a bug"), 3, id="error"),
        pytest.param(MemoryError(), 3, id="memory"),
        pytest.param(RecursionError(), 3, id="recursion"),
        pytest.param(StopIteration(), 3, id="stop iteration"),
        pytest.param(Panic("boom"), 3, id="panic"),
        pytest.param(ExceptionGroup("several", [ValueError("one")]), 3, id="group"),
        pytest.param(PermanentError("bad row"), 1, id="permanent"),
    ],
)
def test_what_a_handler_raises_sets_its_message_aside_and_no_other(raised, tries):
    """After as many tries as make sense; the message before and the one behind it are handled, and all are committed."""
    publisher, subscriber, payloads = RecordingPublisher(), FakeSubscriber(), []
    router = Router()
    router.add_middleware(FailurePolicy(retry=Retry(max_retries=2, initial_interval=0)))

    def handle(message):
        payloads.append(message.payload)
        if message.payload == b"bad":
            raise raised

    router.add_consumer_handler("h", "t", subscriber, handle, poison=PoisonTopic(publisher, "dlq"))
    with running(router):
        subscriber.subscription.deliver(b"before", b"bad", b"behind")
        assert subscriber.subscription.wait_committed(3)

    assert payloads == [b"before", *[b"bad"] * tries, b"behind"]
    assert [record.payload for record in publisher.messages("dlq")] == [b"bad"]


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()], ids=repr)
def test_what_ends_a_program_ends_the_router_and_blames_no_message(raised):
    """Neither retried nor set aside: the message comes again after the next start, and `run` ends with what was raised."""
    publisher, subscriber = RecordingPublisher(), FakeSubscriber()
    handler = RecordingHandler([None, raised])
    router = Router()
    router.add_middleware(FailurePolicy())
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))
    router.start()
    subscriber.subscription.deliver(b"before", b"x", b"behind")

    with pytest.raises(type(raised)):
        router.wait_closed(10)

    assert handler.payloads == [b"before", b"x"]
    assert subscriber.subscription.committed() == 1
    assert publisher.messages("dlq") == []


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
