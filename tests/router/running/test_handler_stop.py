"""Stopping one handler while the router goes on."""

import threading

import pytest

from millstream.router import InMemoryConfig, InMemoryPubSub, Message, Router, RouterConfig, StateError
from millstream.router.testing import (
    FakeSubscriber,
    FakeWorker,
    RecordingHandler,
    RecordingPublisher,
    eventually,
    running,
)

pytestmark = pytest.mark.slow  # handlers that stop in their time: tenths of a second each


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


def test_stop_flushes_and_commits_what_workers_hold_and_then_gives_the_partitions_back():
    """The worker serves others too: it is asked for a flush, and the subscription closes when the holds are in."""
    router, subscriber, held, calls = Router(), FakeSubscriber(2), [], []
    worker = FakeWorker("batcher", record=calls.append)
    router.add_worker(worker)
    handler = router.add_consumer_handler("h", "t", subscriber, lambda m: held.append(m.hold(worker)))
    router.add_consumer_handler("other", "u", FakeSubscriber(), RecordingHandler())

    with running(router):
        subscription = subscriber.subscription
        subscription.deliver(b"x", b"y", partition=1)
        assert eventually(lambda: len(held) == 2)
        handler.stop()
        assert eventually(lambda: len(worker.sealed) == 2)
        before = subscription.is_closed, handler.wait_stopped(0.05)
        for hold in held:
            hold.release()
        assert handler.wait_stopped(10)
        after = subscription.is_closed, router.is_running, list(calls)

    assert before == (False, False)
    assert after == (True, True, ["start batcher", "seal batcher"])
    assert subscription.committed(1) == 2


def test_stop_waits_no_longer_than_the_close_timeout():
    """A hold that is never released keeps the partition from nobody: the message is delivered again there."""
    router, subscriber, worker = Router(RouterConfig(close_timeout=0.2)), FakeSubscriber(), FakeWorker("batcher")
    router.add_worker(worker)
    handler = router.add_consumer_handler("h", "t", subscriber, lambda m: m.hold(worker) and None)
    router.add_consumer_handler("other", "u", FakeSubscriber(), RecordingHandler())

    with running(router):
        (message,) = subscriber.subscription.deliver(b"x")
        assert eventually(lambda: message.is_acked)
        handler.stop()
        assert handler.wait_stopped(10)

    assert subscriber.subscription.is_closed
    assert subscriber.subscription.committed() == 0


def test_in_memory_publisher_does_not_wait_for_a_handler_that_has_stopped():
    """Its subscription took in messages until it was full, and then everybody waited."""
    pubsub, router = InMemoryPubSub(InMemoryConfig(buffer_messages=1)), Router()
    handler = router.add_consumer_handler("h", "t", pubsub, RecordingHandler())
    router.add_consumer_handler("other", "u", pubsub, RecordingHandler())

    with running(router):
        handler.stop()
        assert handler.wait_stopped(10)
        publishing = threading.Thread(target=pubsub.publish, args=("t", *[Message(b"x")] * 10), daemon=True)
        publishing.start()
        publishing.join(10)
        assert not publishing.is_alive()


class Plain:
    """A subscriber whose subscriptions show nothing but what the protocol asks for."""

    def __init__(self, subscriber):
        self._subscriber = subscriber

    def subscribe(self, topic, listener=None):
        """Wrap a subscription."""
        return PlainSubscription(self._subscriber.subscribe(topic, listener))

    def close(self):
        """Nothing is held."""


class PlainSubscription:
    """What a decorator makes of a subscription."""

    def __init__(self, subscription):
        self.receive, self.close = subscription.receive, subscription.close


def test_subscription_that_does_not_show_what_is_held_stays_open_until_the_router_closes():
    """Closed at once it would take the batch with it, whose rows would be stored twice."""
    router, subscriber, held = Router(), FakeSubscriber(), []
    worker = FakeWorker("batcher", on_drain=lambda deadline: held[0].release() is None)
    router.add_worker(worker)
    handler = router.add_consumer_handler("h", "t", Plain(subscriber), lambda m: held.append(m.hold(worker)))
    router.add_consumer_handler("other", "u", FakeSubscriber(), RecordingHandler())

    with running(router):
        subscriber.subscription.deliver(b"x")
        assert eventually(lambda: held)
        handler.stop()
        assert handler.wait_stopped(10)
        is_open = not subscriber.subscription.is_closed

    assert is_open
    assert subscriber.subscription.is_closed
    assert subscriber.subscription.committed() == 1


def test_stop_beside_a_close_leaves_the_rest_to_it():
    """The router's close drains the workers as well, and closes every subscription after that."""
    router, subscriber, held = Router(), FakeSubscriber(), []
    worker = FakeWorker("batcher", on_drain=lambda deadline: held[0].release() is None)
    router.add_worker(worker)
    handler = router.add_consumer_handler("h", "t", subscriber, lambda m: held.append(m.hold(worker)))
    router.add_consumer_handler("other", "u", FakeSubscriber(), RecordingHandler())
    router.start()
    subscriber.subscription.deliver(b"x")
    assert eventually(lambda: held)
    handler.stop()
    router.close()

    assert handler.wait_stopped(0)
    assert subscriber.subscription.committed() == 1


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
