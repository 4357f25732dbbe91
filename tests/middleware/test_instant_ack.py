"""Acking before the handler runs, without losing anything."""

from millstream.middleware import InstantAck, PoisonQueue
from millstream.router import PoisonTopic, Router, RouterConfig
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, running
from tests.middleware.middleware_aids import make_message


def test_message_is_acked_when_the_handler_sees_it():
    """The handler's own nack comes too late."""
    seen = []

    InstantAck()(lambda message: seen.append((message.is_acked, message.nack())))(make_message())

    assert seen == [(True, False)]


def test_error_after_the_ack_is_poisoned():
    """The message is committed when its record is safe, and the record says what the error was."""
    publisher, subscriber = RecordingPublisher(), FakeSubscriber()
    router = Router()
    router.add_middleware(PoisonQueue(), InstantAck())
    handler = RecordingHandler([ValueError("bad row")])
    router.add_consumer_handler("h", "t", subscriber, handler, poison=PoisonTopic(publisher, "dlq"))

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    (record,) = publisher.messages("dlq")
    assert record.metadata["reason_poisoned"] == "bad row"


def test_error_after_the_ack_is_delivered_again_without_a_sink():
    """An early ack commits nothing: the message comes again until it works."""
    subscriber = FakeSubscriber()
    handler = RecordingHandler([ValueError("bad row")] * 2)
    router = Router(RouterConfig(nack_resend_delay=0.0))
    router.add_consumer_handler("h", "t", subscriber, handler).add_middleware(InstantAck())

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert handler.payloads == [b"x"] * 3
