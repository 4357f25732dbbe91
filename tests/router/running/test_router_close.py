"""Closing a router by call, and by the death of a part of it."""

import threading

import pytest

from millstream.handlers.batching import BatchConfig, MessageBatcher
from millstream.router import HaltedError, PermanentError, PoisonTopic, Router, RouterConfig, StateError, UndrainedError
from millstream.router.testing import FakeSubscriber, FakeWorker, RecordingHandler, RecordingPublisher


def test_close_twice_does_nothing_more():
    """The second close returns at once and closes nobody again."""
    publisher, router = RecordingPublisher(), Router()
    router.add_handler("h", "t", FakeSubscriber(), "out", publisher, RecordingHandler())
    router.start()
    router.close()
    router.close()

    assert publisher.close_count == 1


def test_close_after_an_undrained_close_says_it_again():
    """The outcome of a router does not change by asking again."""
    router = Router(RouterConfig(close_timeout=0.1))
    router.add_worker(FakeWorker("slow", on_drain=lambda deadline: False))
    router.start()
    with pytest.raises(UndrainedError):
        router.close()

    with pytest.raises(UndrainedError):
        router.close()


def test_concurrent_closes_all_return_when_it_is_over():
    """Ten threads close; everything is closed once and each returns to a closed router."""
    subscriber, publisher, states = FakeSubscriber(), RecordingPublisher(), []
    router = Router()
    router.add_handler("h", "t", subscriber, "out", publisher, RecordingHandler())
    router.start()

    def close():
        router.close()
        states.append(router.is_closed)

    threads = [threading.Thread(target=close) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert states == [True] * 10
    assert (subscriber.subscription.is_closed, publisher.close_count) == (True, 1)


def test_close_before_the_start_returns_at_once_and_touches_nothing():
    """Handlers that never started do not count; the router cannot be started afterwards."""
    subscriber, publisher = FakeSubscriber(), RecordingPublisher()
    router = Router()
    router.add_handler("h", "t", subscriber, "out", publisher, RecordingHandler())

    router.close()

    assert router.is_closed
    assert (subscriber.close_count, publisher.close_count) == (0, 0)
    with pytest.raises(StateError, match="runs once"):
        router.run()


def test_close_from_inside_a_handler_finishes_that_handler():
    """The call returns at once, as the close has to wait for its own caller; the message is handled and committed."""
    subscriber, router = FakeSubscriber(), Router()
    router.add_consumer_handler("h", "t", subscriber, lambda message: router.close())
    router.start()
    subscriber.subscription.deliver(b"x")

    assert router.wait_closed(10)
    assert subscriber.subscription.committed() == 1


def closing_batch(router):
    """Close from the `process_batch` of a batcher."""
    batcher = MessageBatcher(BatchConfig(batch_size=1), lambda batch: router.close())
    batcher.attach(router, "h", "t", FakeSubscriber(), poison="drop")


def closing_writer(router):
    """Close from what writes poison records."""
    writer = RecordingPublisher()
    writer.publish = lambda topic, *messages: router.close()
    router.add_consumer_handler(
        "h", "t", FakeSubscriber(), RecordingHandler([PermanentError("no")]), poison=PoisonTopic(writer, "d")
    )


def closing_plugin(router):
    """Close from a plugin, before anything runs."""
    router.add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler())
    router.add_plugin(lambda each: each.close())


@pytest.mark.parametrize("prepare", [closing_batch, closing_writer, closing_plugin])
def test_close_from_what_it_would_wait_for_returns_at_once(prepare):
    """The thread goes on, what it has in hand is finished, and then everything closes in order."""
    router = Router(RouterConfig(close_timeout=60.0))
    prepare(router)
    starting = threading.Thread(target=router.start, daemon=True)
    starting.start()
    starting.join(10)
    assert not starting.is_alive()
    subscription = router.handlers["h"].subscriber.subscription
    if prepare is not closing_plugin:
        subscription.deliver(b"x")

    assert router.wait_closed(10)
    assert subscription.committed() == (0 if prepare is closing_plugin else 1)


def test_error_of_the_router_comes_out_of_run_and_of_every_close():
    """`fail` stops the router; the first error counts."""
    router = Router()
    router.start()
    router.fail(HaltedError("first"))
    router.fail(HaltedError("second"))

    with pytest.raises(HaltedError, match="first"):
        router.wait_closed(10)
    with pytest.raises(HaltedError, match="first"):
        router.close()


def test_dying_worker_stops_the_router_with_its_error():
    """No silent stop: the router looks at its workers and closes when one died."""
    worker, router = FakeWorker(), Router()
    router.add_worker(worker)
    router.add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler())
    router.start()

    worker.die(MemoryError("no more"))

    with pytest.raises(MemoryError, match="no more"):
        router.wait_closed(10)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_subscription_that_fails_stops_the_router_with_its_error(concurrency):
    """A thread that cannot receive any more is a dead thread, also behind a fan-out."""
    subscriber, router = FakeSubscriber(), Router()
    router.add_consumer_handler("h", "t", subscriber, RecordingHandler(), concurrency=concurrency)
    router.start()

    subscriber.subscription.fail(OSError("fatal"))

    with pytest.raises(OSError, match="fatal"):
        router.wait_closed(10)


def test_worker_whose_error_cannot_be_asked_stops_the_router():
    """Watching over the others must not be what dies unnoticed; everything else still closes in order."""

    class Odd(FakeWorker):
        @property
        def error(self):
            raise AttributeError("no error here")

    subscriber, router = FakeSubscriber(), Router()
    router.add_worker(Odd())
    router.add_consumer_handler("h", "t", subscriber, RecordingHandler())
    router.start()

    with pytest.raises(AttributeError, match="no error here"):
        router.wait_closed(10)

    assert (router.is_closed, subscriber.subscription.is_closed) == (True, True)


class MortalPublisher(RecordingPublisher):
    """Has a thread, as the Kafka publisher has, and says what it died of."""

    error = None


@pytest.mark.parametrize("is_poison", [False, True])
def test_dying_publisher_stops_the_router_though_nobody_publishes(is_poison):
    """An idle publisher would tell nobody; that of a poison topic is watched as well."""
    publisher, router = MortalPublisher(), Router()
    if is_poison:
        poison = PoisonTopic(publisher, "dlq")
        router.add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler(), poison=poison)
    else:
        router.add_handler("h", "t", FakeSubscriber(), "out", publisher, RecordingHandler())
    router.start()
    publisher.error = RuntimeError("credentials withdrawn")

    with pytest.raises(RuntimeError, match="credentials withdrawn"):
        router.wait_closed(10)


class DyingSubscription:
    """Never delivers anything; its own thread has died, which whoever receives from it does not hear."""

    error = ValueError("the poll thread is gone")

    def receive(self, max_messages, timeout):
        """Return nothing."""
        return []

    def close(self):
        """Nothing is held."""


class DyingSubscriber:
    """Hands out subscriptions whose thread has died."""

    def subscribe(self, topic, listener=None):
        """Return one."""
        return DyingSubscription()

    def close(self):
        """Nothing is held."""


def test_dying_subscription_stops_the_router_though_nobody_receives():
    """Its handler may wait for something else, such as a poison sink that is blocked."""
    router = Router()
    router.add_consumer_handler("h", "t", DyingSubscriber(), RecordingHandler())
    router.start()

    with pytest.raises(ValueError, match="the poll thread is gone"):
        router.wait_closed(10)
