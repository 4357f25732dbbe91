"""Middleware around a handler."""

import functools

import pytest

from millstream.middleware import CorrelationID, FailurePolicy, PoisonQueue, Recoverer, Retry
from millstream.router import ConfigurationError, InMemoryPubSub, Message, Router
from millstream.router.running.chain import build_chain
from millstream.router.testing import FakeSubscriber, RecordingHandler, running


def noting(name, calls):
    """Return a middleware that notes when a message goes in and comes out."""

    def middleware(handler):
        calls.append(f"build {name}")

        def handle(message):
            calls.append(f"> {name}")
            produced = handler(message)
            calls.append(f"< {name}")
            return produced

        return handle

    return middleware


def test_chain_without_middleware_is_the_handler():
    """Nothing is paid for what is not used."""

    def handler(message):
        return None

    assert build_chain(handler) is handler
    assert build_chain(handler, [], []) is handler


def test_first_added_is_outermost_and_router_level_is_outside():
    """Each level in the order it was added, an earlier level around a later one."""
    calls = []
    chain = build_chain(
        lambda message: calls.append("handler"),
        [noting("r1", calls), noting("r2", calls)],
        [noting("h1", calls), noting("h2", calls)],
    )
    calls.clear()

    chain(Message(b""))

    assert calls == ["> r1", "> r2", "> h1", "> h2", "handler", "< h2", "< h1", "< r2", "< r1"]


def test_middleware_is_built_once_and_not_called_while_building():
    """A thousand messages build nothing."""
    calls = []
    chain = build_chain(lambda message: None, [noting("m", calls)])

    for _ in range(3):
        chain(Message(b""))

    assert calls.count("build m") == 1
    assert calls.count("> m") == 3


def test_what_the_handler_returns_or_raises_goes_through():
    """A chain changes nothing by itself."""
    produced = [Message(b"")]

    assert build_chain(lambda message: produced, [noting("m", [])])(Message(b"")) is produced


def test_middleware_of_the_router_knows_which_handler_it_stands_in():
    """One instance serves all: the context says whose chain a message is in, also to a worker that has it later."""
    seen, pubsub, router = [], InMemoryPubSub(), Router()

    def look(next_handler):
        def looking(message):
            context = message.context
            seen.append((context.handler_name, context.subscribe_topic, context.publish_topic))
            return next_handler(message)

        return looking

    router.add_middleware(look)
    router.add_handler("double", "in", pubsub, "out", pubsub, lambda message: [Message(message.payload * 2)])
    results = RecordingHandler()
    router.add_consumer_handler("collect", "out", pubsub, results)
    with running(router):
        pubsub.publish("in", Message(b"x"))
        assert results.wait_calls(1)

    assert seen == [("double", "in", "out"), ("collect", "out", "")]
    assert results.messages[0].copy().context.handler_name == "collect"


def forgetful(handler):
    """Wrap *handler* and forget to return what it is wrapped in."""

    def handle(message):
        return handler(message)


def awaiting(handler):
    """Wrap *handler* in what nobody awaits."""

    async def handle(message):
        return handler(message)

    return handle


def calling(handler):
    """Call *handler*'s wrapper in place of returning it."""

    def handle(message):
        return [message]

    return handle(Message(b""))


class Forgetful:
    """A middleware with options that forgets the same."""

    def __call__(self, handler):
        """Wrap *handler*."""
        forgetful(handler)


@pytest.mark.parametrize("is_router_level", [True, False], ids=["router", "handler"])
@pytest.mark.parametrize(
    ("middleware", "what"),
    [
        pytest.param(forgetful, "middleware forgetful returned None: end it with `return`", id="none"),
        pytest.param(Forgetful(), "middleware Forgetful returned None", id="object"),
        pytest.param(functools.partial(forgetful), "middleware forgetful returned None", id="partial"),
        pytest.param(awaiting, "what middleware awaiting returned is an async function", id="async"),
        pytest.param(calling, "what middleware calling returned is a list: pass a function", id="called"),
        pytest.param(lambda handler: Message, "what middleware <lambda> returned is the class Message", id="class"),
        pytest.param(lambda handler: lambda: None, "returned takes no argument: .* the message", id="no argument"),
    ],
)
def test_middleware_that_makes_no_handler_ends_the_start_and_is_named(middleware, what, is_router_level):
    """Before anything is consumed; behind others that are right."""
    subscriber, router = FakeSubscriber(), Router()
    handler = router.add_consumer_handler("h", "t", subscriber, lambda message: None)
    (router if is_router_level else handler).add_middleware(CorrelationID(), middleware, Recoverer())

    with pytest.raises(ConfigurationError, match=what):
        router.start()
    assert subscriber.subscriptions == []


@pytest.mark.parametrize(
    ("outer", "inner", "is_told"),
    [
        ([Retry(), CorrelationID()], [PoisonQueue()], True),
        ([PoisonQueue(), Retry()], [], False),
        ([Retry(), PoisonQueue(filter=lambda error: False)], [], False),
        ([FailurePolicy()], [FailurePolicy()], False),
    ],
    ids=["retry outside", "retry inside", "filter that lets errors out", "policies of router and handler"],
)
def test_retry_that_never_sees_an_error_is_told_at_the_start(outer, inner, is_told, log_lines):
    """Nothing fails by it, so nobody would notice."""
    router = Router()
    router.add_middleware(*outer)
    router.add_consumer_handler("orders", "t", FakeSubscriber(), print, poison="drop").add_middleware(*inner)
    with running(router):
        warnings = [line for line in log_lines if line.startswith("WARNING")]

    told = (
        "WARNING errors of handler 'orders' are never retried: PoisonQueue takes them all inside Retry; add it before"
    )
    assert warnings == ([told] if is_told else [])
