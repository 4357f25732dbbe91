"""What handlers return: messages, an iterator of messages, nothing, or something that cannot be meant."""

import functools

import pytest

from millstream.middleware import CorrelationID, FailurePolicy, Retry
from millstream.router import ConfigurationError, Message, Router, RouterConfig
from millstream.router.running.returned import checked
from millstream.router.testing import FakeSubscriber, RecordingPublisher, eventually


async def coroutine(message):
    """Return a message that nobody awaits."""
    return [Message(b"never")]


async def async_generator(message):
    """Yield a message that nobody awaits."""
    yield Message(b"never")


class AsyncHandler:
    """An object whose call is async."""

    async def __call__(self, message):
        """Do nothing."""


def generator(message):
    """Yield two messages."""
    yield Message(b"1")
    yield Message(b"2")


class GeneratorHandler:
    """An object whose call is a generator."""

    def __call__(self, message):
        """Yield two messages."""
        yield Message(b"1")
        yield Message(b"2")


def start(handler, *middlewares, is_consumer=False):
    """Start a router with *handler* behind *middlewares*; returns it, its subscription and its publisher."""
    subscriber, publisher = FakeSubscriber(), RecordingPublisher()
    router = Router(RouterConfig(nack_resend_delay=0.0))
    router.add_middleware(*middlewares)
    if is_consumer:
        router.add_consumer_handler("h", "t", subscriber, handler, poison="drop")
    else:
        router.add_handler("h", "t", subscriber, "out", publisher, handler, poison="drop")
    router.start()
    return router, subscriber.subscription, publisher


@pytest.mark.parametrize(
    "handler",
    [
        lambda m: [Message(b"1"), Message(b"2")],
        lambda m: (Message(b"1"), Message(b"2")),
        lambda m: map(Message, [b"1", b"2"]),
        generator,
        GeneratorHandler(),
        functools.partial(lambda _, m: generator(m), "first"),
    ],
    ids=["list", "tuple", "iterator", "generator", "object", "partial"],
)
def test_all_that_is_yielded_is_published_in_one_call(handler):
    """Also behind a middleware that looks through what was produced, which would use up a generator."""
    router, subscription, publisher = start(handler, FailurePolicy(), CorrelationID())
    subscription.deliver(b"x")
    assert subscription.wait_committed(1)
    router.close()

    assert [[m.payload for m in messages] for _, messages in publisher.calls] == [[b"1", b"2"]]


def test_error_in_a_generator_is_the_handlers_and_is_retried():
    """What it had yielded before is not published: the whole of it comes with the next attempt."""
    failing = [True]

    def produce(message):
        yield Message(b"1")
        if failing:
            failing.clear()
            raise ValueError("in the middle")

    router, subscription, publisher = start(produce, FailurePolicy(retry=Retry(initial_interval=0.0)))
    subscription.deliver(b"x")
    assert subscription.wait_committed(1)
    router.close()

    assert [m.payload for m in publisher.messages("out")] == [b"1"]
    assert subscription.messages[0].redeliveries == 0


def test_generator_without_publisher_runs_when_it_yields_nothing():
    """A consumer handler written with a stray `yield` would otherwise never run, and its messages be acked."""
    seen = []

    def consume(message) -> None:
        seen.append(message.payload)
        return
        yield

    router, subscription, _ = start(consume, is_consumer=True)
    subscription.deliver(b"x")
    assert subscription.wait_committed(1)
    router.close()

    assert seen == [b"x"]


@pytest.mark.parametrize("is_consumer", [False, True], ids=["publishing", "consuming"])
@pytest.mark.parametrize(
    ("value", "what"),
    [
        (lambda: Message(b"one"), "a Message"),
        (lambda: "hello", "a str"),
        (lambda: b"xy", "a bytes"),
        (lambda: True, "a bool"),
        (lambda: {"a": 1}, "a dict"),
        (lambda: [None], "a list that has a NoneType in it"),
        (lambda: iter(["x"]), "a list that has a str in it"),
        (lambda: coroutine(None), "a coroutine"),
    ],
    ids=["message", "str", "bytes", "bool", "dict", "list with None", "iterator of str", "coroutine"],
)
def test_anything_else_stops_the_router_at_its_first_message_and_is_named(is_consumer, value, what):
    """No retry, no poison record, nothing acked: the program is wrong, not the message."""
    router, subscription, publisher = start(
        lambda m: value(), FailurePolicy(), CorrelationID(), is_consumer=is_consumer
    )
    subscription.deliver(b"x", b"y")
    assert eventually(lambda: router.is_closed)

    with pytest.raises(ConfigurationError, match=f"handler 'h' returned {what}: a handler returns a list of Message"):
        router.close()
    assert subscription.committed() == 0
    assert publisher.messages() == []


def test_what_a_middleware_returns_is_looked_at_as_well():
    """It stands outside the handler, whose own return value was right."""
    router, subscription, _ = start(lambda m: [Message(b"1")], lambda handler: lambda message: "changed")
    subscription.deliver(b"x")
    assert eventually(lambda: router.is_closed)

    with pytest.raises(ConfigurationError, match="returned a str"):
        router.close()


@pytest.mark.parametrize(
    "handler",
    [coroutine, async_generator, AsyncHandler(), functools.partial(coroutine)],
    ids=["function", "generator", "object", "partial"],
)
def test_async_handler_is_refused_where_it_is_added(handler):
    """Nobody would await it: its messages would be acked and nothing done."""
    with pytest.raises(ConfigurationError, match=r"handler 'h' is an async function: .* asyncio\.run"):
        Router().add_consumer_handler("h", "t", FakeSubscriber(), handler)


def test_nothing_is_published_for_what_is_empty():
    """None, an empty list and other empty values ask for nothing."""
    answers = iter([None, [], (), False, ""])
    router, subscription, publisher = start(lambda m: next(answers))
    subscription.deliver(*[b"x"] * 5)
    assert subscription.wait_committed(5)
    router.close()

    assert publisher.attempts == 0


def test_handler_that_says_it_returns_none_is_called_without_a_detour():
    """The hot path of a handler that only consumes has no call more than it needs."""

    def consume(message) -> None:
        """Do nothing."""

    def unknown(message):
        """Do nothing, and do not say so."""

    assert checked("h", consume) is consume
    assert checked("h", unknown) is not unknown
