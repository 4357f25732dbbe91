"""Stopping one handler while the router goes on."""

import threading

import pytest

from millstream.router import Router, StateError
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher, running


def two_handlers():
    """Return a router with two handlers that share a publisher, the handles, their subscribers and the publisher."""
    router, publisher, subscribers = Router(), RecordingPublisher(), (FakeSubscriber(), FakeSubscriber())
    handlers = [
        router.add_handler(name, name, subscriber, "out", publisher, RecordingHandler(answer=lambda m: [m.copy()]))
        for name, subscriber in zip(["one", "other"], subscribers, strict=True)
    ]
    return router, handlers, subscribers, publisher


def test_one_stopped_handler_leaves_the_others_running():
    """The router goes on, and the publisher that they share stays open."""
    router, (one, other), subscribers, publisher = two_handlers()

    with running(router):
        one.stop()
        assert one.wait_stopped(10)
        subscribers[0].subscription.deliver(b"unread")
        subscribers[1].subscription.deliver(b"x")
        assert publisher.wait_published(1)
        state = router.is_running, other.wait_stopped(0), publisher.close_count

    assert state == (True, False, 0)
    assert subscribers[0].subscription.committed() == 0


def test_router_closes_when_every_handler_has_stopped():
    """With nobody left to handle anything `run` returns."""
    router, handlers, _, publisher = two_handlers()
    router.start()
    for handler in handlers:
        handler.stop()

    assert router.wait_closed(10)
    assert publisher.close_count == 1


def test_stop_finishes_the_message_in_hand():
    """`stop` returns at once, `wait_stopped` when the handler is done; the message is committed, the next is not begun."""
    entered, go_on = threading.Event(), threading.Event()

    def work(message):
        entered.set()
        go_on.wait(10)

    router, subscriber = Router(), FakeSubscriber()
    handler = router.add_consumer_handler("h", "t", subscriber, work)
    router.start()
    subscription = subscriber.subscription
    subscription.deliver(b"x", b"y")
    assert entered.wait(10)
    handler.stop()
    while_running = handler.wait_stopped(0.05)
    go_on.set()
    stopped = handler.wait_stopped(10)
    router.close()

    assert (while_running, stopped) == (False, True)
    assert subscription.committed() == 1


def test_stop_of_a_concurrent_handler_stops_all_its_threads():
    """Fan-out and threads end together."""
    router, subscriber = Router(), FakeSubscriber()
    handler = router.add_consumer_handler("h", "t", subscriber, RecordingHandler(), concurrency=3)
    router.start()
    handler.stop()

    assert handler.wait_stopped(10)
    assert router.wait_closed(10)


def test_stop_before_the_start_raises():
    """There is nothing to stop."""
    handler = Router().add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler())

    with pytest.raises(StateError, match="'h' was not started"):
        handler.stop()
    assert handler.wait_started(0) is False


def test_closed_subscription_stops_its_handler():
    """A subscription that ends by itself, everything in it received, ends the handler; the last one ends the router."""
    router, handlers, subscribers, _ = two_handlers()
    router.start()
    subscribers[0].subscription.close()
    assert handlers[0].wait_stopped(10)
    still_running = router.is_running
    subscribers[1].subscription.close()

    assert still_running is True
    assert router.wait_closed(10)


def test_handlers_are_stopped_when_the_router_has_closed():
    """`wait_stopped` holds after a close."""
    router, handlers, _, _ = two_handlers()
    with running(router):
        pass

    assert [handler.wait_stopped(0) for handler in handlers] == [True, True]
