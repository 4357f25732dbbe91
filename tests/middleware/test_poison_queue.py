"""Setting aside what a handler cannot handle."""

import gc

import pytest

from millstream.middleware import PoisonQueue, Retry
from millstream.router import (
    Cancelled,
    ConfigurationError,
    HaltedError,
    InMemoryPubSub,
    Message,
    PermanentError,
    PoisonTopic,
    Router,
    TransientError,
)
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, running
from tests.middleware.middleware_aids import FailingHandler, FakeSink, close_router, make_message, revoke_partition


def test_failed_message_goes_to_the_sink_of_its_handler():
    """The sink has the message and the error; the router goes on as if it had been handled."""
    sink, error = FakeSink(), ValueError("bad row")
    message = make_message(sink=sink)

    produced = PoisonQueue()(RecordingHandler([error]))(message)

    assert produced is None
    ((taken, reason),) = sink.taken
    assert taken is message
    assert reason is error


def test_good_message_passes():
    """What the handler returns is returned."""
    sink = FakeSink()

    produced = PoisonQueue()(RecordingHandler(answer=lambda _: ["done"]))(make_message(sink=sink))

    assert produced == ["done"]
    assert sink.taken == []


@pytest.mark.parametrize("signal", [HaltedError("stop"), Cancelled()], ids=["halted", "cancelled"])
def test_being_stopped_is_not_poisoned(signal):
    """A policy's halt and a cancellation pass: neither is the message's fault."""
    sink = FakeSink()

    with pytest.raises(type(signal)):
        PoisonQueue()(RecordingHandler([signal]))(make_message(sink=sink))

    assert sink.taken == []


def test_filter_declines():
    """What it says no to passes on, the rest is taken."""
    sink = FakeSink()
    chain = PoisonQueue(filter=lambda error: isinstance(error, PermanentError))(
        RecordingHandler([PermanentError("bad row"), TransientError("busy")])
    )

    chain(make_message(sink=sink))
    with pytest.raises(TransientError):
        chain(make_message(sink=sink))

    assert [str(error) for _, error in sink.taken] == ["bad row"]


@pytest.mark.parametrize("message", [make_message(), Message(b"x")], ids=["no-sink", "no-router"])
def test_error_passes_on_where_there_is_no_sink(message):
    """Nobody would have the message otherwise."""
    with pytest.raises(ValueError, match="bad row"):
        PoisonQueue()(RecordingHandler([ValueError("bad row")]))(message)


def test_error_of_the_sink_passes_on():
    """With `poison="none"` taking a message is a halt, which the filter is not asked about."""
    sink = FakeSink(HaltedError("stop"))

    with pytest.raises(HaltedError):
        PoisonQueue()(RecordingHandler([ValueError("bad row")]))(make_message(sink=sink))


@pytest.mark.parametrize("happening", [close_router, revoke_partition])
def test_only_permanent_errors_are_poisoned_while_closing(happening):
    """Any other may be the closing's own doing; the message comes again."""
    sink = FakeSink()
    message = make_message(sink=sink)
    happening(message)
    chain = PoisonQueue()(RecordingHandler([OSError("closed"), PermanentError("bad row")]))

    with pytest.raises(OSError, match="closed"):
        chain(message)
    chain(message)

    assert [str(error) for _, error in sink.taken] == ["bad row"]


def test_router_refuses_to_start_without_a_sink():
    """The error names the handler and what to pass."""
    router = Router()
    router.add_middleware(PoisonQueue())
    router.add_consumer_handler("h", "t", InMemoryPubSub(), RecordingHandler())

    with pytest.raises(ConfigurationError, match=r"'h' has PoisonQueue but no poison sink.*poison="):
        router.start()


def poisoning_router(subscriber, publisher, handler, *middlewares):
    """Return a router with *middlewares* whose handler poisons to the topic "dlq"."""
    router = Router()
    router.add_middleware(*middlewares)
    router.add_consumer_handler("h", "events", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))
    return router


def test_retried_message_is_poisoned_with_metadata():
    """Two retries are three attempts; the record on the poison topic is the message, saying where it failed and why."""
    pubsub = InMemoryPubSub()
    poisoned = pubsub.subscribe("dlq")
    handler = RecordingHandler([TransientError("busy"), TransientError("busy"), ValueError("bad row")])
    router = poisoning_router(pubsub, pubsub, handler, PoisonQueue(), Retry(max_retries=2, initial_interval=0))

    with running(router):
        pubsub.publish("events", Message(b"x", uuid="u", key=b"k", metadata={"tenant": "a"}), Message(b"y"))
        assert handler.wait_calls(4)
        (record,) = poisoned.receive(10, 10.0)

    assert handler.payloads == [b"x", b"x", b"x", b"y"]
    assert (record.payload, record.uuid, record.key) == (b"x", "u", b"k")
    assert record.metadata.pop("time_poisoned").endswith("+00:00")
    assert record.metadata == {
        "tenant": "a",
        "reason_poisoned": "bad row",
        "topic_poisoned": "events",
        "handler_poisoned": "h",
        "subscriber_poisoned": "InMemoryPubSub",
        "attempts_poisoned": "3",
        "partition_poisoned": "0",
        "offset_poisoned": "0",
        "error_class_poisoned": "ValueError",
    }


def test_poisoned_copy_poisons_its_original():
    """A middleware may pass a copy on: it shares the delivery, so the record comes and the original is committed after it."""
    publisher, subscriber = RecordingPublisher(), FakeSubscriber()

    def copying(next_handler):
        return lambda message: next_handler(message.copy())

    handler = RecordingHandler([ValueError("bad row")])
    router = poisoning_router(subscriber, publisher, handler, copying, PoisonQueue())

    with running(router):
        (message,) = subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert message.is_void
    assert [record.metadata["reason_poisoned"] for record in publisher.messages("dlq")] == ["bad row"]


def test_poisoned_messages_are_freed():
    """The error's traceback leads back to the message, which no collection looks into: it must not be kept."""
    pubsub, publisher, handler = InMemoryPubSub(), RecordingPublisher(), FailingHandler()
    retry = Retry(max_retries=1, initial_interval=0)
    router = poisoning_router(pubsub, publisher, handler, PoisonQueue(), retry)

    with running(router):
        pubsub.publish("events", Message(b"x"), Message(b"y"))
        assert publisher.wait_published(2)
    gc.collect()

    assert handler.alive == [False] * 4
