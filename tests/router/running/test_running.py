"""`running(router)`: a test sees what a handler has failed with."""

import pytest

from millstream.middleware import PoisonQueue
from millstream.router import HaltedError, PoisonTopic, Router, RouterConfig
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, eventually, running

LATER, AT_ONCE = RouterConfig(nack_resend_delay=3600.0), RouterConfig(nack_resend_delay=0.0)


def consumer(handler, config=LATER, **options):
    """Return a router with one consumer handler on a fake topic, and its subscriber."""
    subscriber, router = FakeSubscriber(), Router(config)
    router.add_consumer_handler("orders", "t", subscriber, handler, **options)
    return router, subscriber


def run_until_it_fails(router, subscriber, error=None):
    """Deliver a message on which the handler fails, in a block that ends once that is known: with *error*, if there is one."""
    with running(router):
        subscriber.subscription.deliver(b"x")
        assert eventually(lambda: router.handlers["orders"].failure is not None or router.is_closed)
        if error is not None:
            raise error


def test_block_raises_what_a_handler_failed_with():
    """The very error, though the block itself has found nothing wrong."""
    mistake = TypeError("not an order")
    router, subscriber = consumer(RecordingHandler([mistake]))

    with pytest.raises(TypeError) as caught:
        run_until_it_fails(router, subscriber)
    assert caught.value is mistake
    assert router.is_closed


def test_block_that_fails_by_itself_says_what_a_handler_failed_with():
    """Its own error passes, with a note: nothing arrived, and that is why."""
    router, subscriber = consumer(RecordingHandler([TypeError("not an order")]))

    with pytest.raises(AssertionError, match="nothing arrived") as caught:
        run_until_it_fails(router, subscriber, AssertionError("nothing arrived"))
    assert caught.value.__notes__ == ["handler 'orders' has failed with TypeError: not an order"]


def test_what_a_redelivery_has_mended_is_no_failure():
    """Nothing waits any more."""
    router, subscriber = consumer(RecordingHandler([ValueError("once")]), AT_ONCE)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert router.handlers["orders"].failure is None


def test_what_a_sink_has_taken_is_no_failure():
    """The test looks at the record."""
    publisher = RecordingPublisher()
    router, subscriber = consumer(RecordingHandler([ValueError("bad")]), poison=PoisonTopic(publisher, "dlq"))
    router.add_middleware(PoisonQueue())

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert subscriber.subscription.wait_committed(1)

    assert len(publisher.messages("dlq")) == 1


def test_nack_is_no_failure():
    """The handler has asked for the message again."""
    handler = RecordingHandler(answer=lambda message: message.nack() and None)
    router, subscriber = consumer(handler)

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert handler.wait_calls(1)


def test_block_raises_what_stopped_the_router():
    """A halt, and not the error behind it."""
    router, subscriber = consumer(RecordingHandler([ValueError("bad")]), poison="none")
    router.add_middleware(PoisonQueue())

    with pytest.raises(HaltedError, match="bad"):
        run_until_it_fails(router, subscriber)
