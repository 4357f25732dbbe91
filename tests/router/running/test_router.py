"""The router's registration rules, its chain, and its life from start to end."""

import threading

import pytest

from millstream.router import (
    ConfigurationError,
    HandlerFunc,
    InMemoryPubSub,
    Message,
    Middleware,
    Router,
    RouterConfig,
    StateError,
)
from millstream.router.testing import FakeSubscriber, FakeWorker, RecordingHandler, RecordingPublisher, running


def naming(name: str, trace: list[str]) -> Middleware:
    """Return a middleware that notes its name at every message."""

    def middleware(handler: HandlerFunc) -> HandlerFunc:
        def handle(message: Message):
            trace.append(name)
            return handler(message)

        return handle

    return middleware


def test_router_middleware_is_outside_handler_middleware_and_the_first_added_is_outermost():
    """The order is by level, then by order of adding, whichever level was added to first."""
    pubsub, trace, handler = InMemoryPubSub(), [], RecordingHandler()
    router = Router()
    added = router.add_consumer_handler("h", "topic", pubsub, handler)
    added.add_middleware(naming("handler 1", trace), naming("handler 2", trace))
    router.add_middleware(naming("router 1", trace))
    router.add_middleware(naming("router 2", trace))

    with running(router):
        pubsub.publish("topic", Message(b"x"))
        assert handler.wait_calls(1)

    assert trace == ["router 1", "router 2", "handler 1", "handler 2"]


def test_middleware_of_one_handler_does_not_wrap_another():
    """What is added to a handler stays with it."""
    pubsub, trace, one, other = InMemoryPubSub(), [], RecordingHandler(), RecordingHandler()
    router = Router()
    router.add_consumer_handler("one", "a", pubsub, one).add_middleware(naming("one", trace))
    router.add_consumer_handler("other", "b", pubsub, other)

    with running(router):
        pubsub.publish("b", Message(b"x"))
        assert other.wait_calls(1)

    assert trace == []


def test_chain_is_built_once_per_handler():
    """A middleware is called once per handler, at the start, however many messages pass."""
    pubsub, built, handler = InMemoryPubSub(), [], RecordingHandler()

    def counting(next_handler: HandlerFunc) -> HandlerFunc:
        built.append(next_handler)
        return next_handler

    router = Router()
    router.add_middleware(counting)
    router.add_consumer_handler("one", "a", pubsub, handler)
    router.add_consumer_handler("other", "b", pubsub, handler, concurrency=3)

    with running(router):
        pubsub.publish("a", *[Message(b"x") for _ in range(50)])
        pubsub.publish("b", *[Message(b"x") for _ in range(50)])
        assert handler.wait_calls(100)

    assert len(built) == 2


ADDITIONS = {
    "handler": lambda router, added: router.add_consumer_handler("late", "t", FakeSubscriber(), RecordingHandler()),
    "router middleware": lambda router, added: router.add_middleware(lambda handler: handler),
    "handler middleware": lambda router, added: added.add_middleware(lambda handler: handler),
    "plugin": lambda router, added: router.add_plugin(lambda router: None),
    "publisher decorator": lambda router, added: router.add_publisher_decorator(lambda publisher: publisher),
    "subscriber decorator": lambda router, added: router.add_subscriber_decorator(lambda subscriber: subscriber),
    "worker": lambda router, added: router.add_worker(FakeWorker()),
}


@pytest.mark.parametrize("add", ADDITIONS.values(), ids=ADDITIONS.keys())
def test_adding_after_the_start_raises(add):
    """The chains and neighbours are fixed by the start; a late addition says so instead of doing nothing."""
    router = Router()
    added = router.add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler())

    with running(router), pytest.raises(StateError, match=r"before Router.run\(\)"):
        add(router, added)


def test_duplicate_name_raises_and_keeps_the_first_handler():
    """Names are unique in a router, also across topics."""
    router = Router()
    first = router.add_consumer_handler("h", "a", FakeSubscriber(), RecordingHandler())

    with pytest.raises(ConfigurationError, match="'h' exists already"):
        router.add_handler("h", "b", FakeSubscriber(), "out", RecordingPublisher(), RecordingHandler())

    assert router.handlers == {"h": first}


def test_concurrency_below_one_raises():
    """A handler without a thread would never handle anything."""
    with pytest.raises(ConfigurationError, match="at least 1"):
        Router().add_consumer_handler("h", "a", FakeSubscriber(), RecordingHandler(), concurrency=0)


@pytest.mark.parametrize("name", ["close_timeout", "nack_resend_delay", "max_redeliveries"])
def test_negative_setting_raises(name):
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match=name):
        RouterConfig(**{name: -1})


@pytest.mark.parametrize("name", ["close_timeout", "nack_resend_delay"])
@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e10])
def test_time_that_is_never_over_raises(name, seconds):
    """No thread can wait as long as that, and what is no number is never reached."""
    with pytest.raises(ConfigurationError, match=f"RouterConfig.{name} must"):
        RouterConfig(**{name: seconds})


def test_middleware_that_needs_a_poison_sink_raises_without_one():
    """The error names the handler and the middleware, before anything is consumed."""

    class NeedsSink:
        needs_poison_sink = True

        def __call__(self, handler: HandlerFunc) -> HandlerFunc:
            return handler

    router = Router()
    router.add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler()).add_middleware(NeedsSink())

    with pytest.raises(ConfigurationError, match="'h' has NeedsSink"):
        router.run()


def test_plugins_run_in_order_before_anything_is_subscribed():
    """A plugin gets the router and sees it before its start."""
    calls, subscriber = [], FakeSubscriber()
    router = Router()
    router.add_consumer_handler("h", "t", subscriber, RecordingHandler())
    router.add_plugin(lambda given: calls.append(("first", given, len(subscriber.subscriptions))))
    router.add_plugin(lambda given: calls.append(("second", given, len(subscriber.subscriptions))))

    with running(router):
        pass

    assert calls == [("first", router, 0), ("second", router, 0)]


def test_plugin_error_ends_the_start():
    """The error comes out of `run`, nothing was subscribed, and the router is closed."""
    subscriber, router = FakeSubscriber(), Router()
    router.add_consumer_handler("h", "t", subscriber, RecordingHandler())
    router.add_plugin(lambda given: (_ for _ in ()).throw(ValueError("no")))

    with pytest.raises(ValueError, match="no"):
        router.run()

    assert subscriber.subscriptions == []
    assert router.is_closed


def test_run_blocks_until_another_thread_closes():
    """`run` returns once everything has ended, and `is_running` and `is_closed` tell where it is."""
    router = Router()
    handler = router.add_consumer_handler("h", "t", FakeSubscriber(), RecordingHandler())
    before = (router.is_running, router.is_closed)
    thread = threading.Thread(target=router.run)
    thread.start()
    running_seen = router.wait_running(10), router.is_running, handler.wait_started(0)

    router.close()
    thread.join(10)

    assert before == (False, False)
    assert running_seen == (True, True, True)
    assert (thread.is_alive(), router.is_running, router.is_closed) == (False, False, True)


def test_router_runs_once():
    """A second run, also after the close, is a mistake of the caller."""
    router = Router()
    router.start()
    with pytest.raises(StateError, match="runs once"):
        router.run()
    router.close()

    with pytest.raises(StateError, match="runs once"):
        router.run()


def test_wait_running_gives_up_after_its_timeout():
    """A router that is never started is never running."""
    router = Router()

    assert router.wait_running(0.01) is False


def test_wait_running_is_false_once_the_start_has_failed():
    """Who waits for the start is not left waiting when it cannot happen any more."""
    router = Router()
    router.add_consumer_handler("h", "t", FakeSubscriber(error=OSError("down")), RecordingHandler())
    with pytest.raises(OSError, match="down"):
        router.start()

    assert router.wait_running(10) is False


def test_router_without_handlers_runs_until_it_is_closed():
    """Nothing to do is not the same as everything done."""
    router = Router()
    router.start()

    assert router.wait_closed(0.2) is False
    router.close()
    assert router.is_closed


def test_start_that_fails_half_way_closes_what_was_opened():
    """The second handler cannot subscribe: the first is closed, its worker and publisher too, and the error comes out."""
    good, worker, publisher = FakeSubscriber(), FakeWorker(), RecordingPublisher()
    handler = RecordingHandler()
    router = Router()
    router.add_handler("good", "a", good, "out", publisher, handler)
    router.add_consumer_handler("bad", "b", FakeSubscriber(error=OSError("no broker")), handler)
    drained = []
    router.add_worker(FakeWorker("recorder", on_drain=lambda deadline: drained.append(deadline) is None))
    router.add_worker(worker)

    with pytest.raises(OSError, match="no broker"):
        router.run()

    assert router.is_closed
    assert good.subscription.is_closed
    assert (publisher.close_count, worker.start_count, len(drained)) == (1, 1, 1)
    router.close()


def test_a_worker_is_started_once_and_before_the_first_message():
    """Adding the same worker for two handlers starts it once."""
    journal = []
    worker = FakeWorker(record=journal.append)
    subscriber = FakeSubscriber()
    router = Router()
    router.add_worker(worker)
    router.add_worker(worker)
    router.add_consumer_handler("h", "t", subscriber, RecordingHandler())
    router.add_plugin(lambda given: journal.append("plugin"))

    with running(router):
        pass

    assert journal[:2] == ["plugin", "start worker"]
    assert worker.start_count == 1
