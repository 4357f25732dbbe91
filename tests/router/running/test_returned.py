"""What handlers return: messages, an iterator of messages, nothing, or something that cannot be meant."""

import contextlib
import functools

import pytest

from millstream.middleware import CorrelationID, FailurePolicy, Retry
from millstream.router import HaltedError, Message, PermanentError, Router, RouterConfig
from millstream.router.running.chain import build_chain
from millstream.router.running.returned import checked
from millstream.router.testing import FakeSubscriber, RecordingPublisher, eventually

pytestmark = pytest.mark.slow  # a router for each wrong value: seconds in all


async def coroutine(message):
    """Return a message that nobody awaits."""
    return [Message(b"never")]


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


class Table:
    """A table of numbers, as libraries have them: whether it is true is an error."""

    def __bool__(self):
        raise ValueError("the truth value of a table is ambiguous")


WRONG = {
    "message": (lambda: Message(b"one"), r"a Message: .*\[message\] for one"),
    "str": (lambda: "hello", "a str"),
    "empty str": (lambda: "", "a str"),
    "bytes": (lambda: b"xy", "a bytes"),
    "bool": (lambda: True, "a bool"),
    "false": (lambda: False, "a bool"),
    "number": (lambda: 0, "a int"),
    "dict": (lambda: {"a": 1}, "a dict"),
    "table": (Table, "a Table"),
    "class": (lambda: Message, "the class Message"),
    "function": (lambda: lambda m: None, "a function: .* a middleware that takes options is called where it is added"),
    "list with None": (lambda: [None], "a list that has None in it"),
    "list in list": (lambda: [[Message(b"1")]], "a list that has a list in it"),
    "iterator of str": (lambda: iter(["x"]), "a list that has a str in it"),
    "coroutine": (lambda: coroutine(None), "a coroutine"),
}


@pytest.mark.parametrize("is_consumer", [False, True], ids=["publishing", "consuming"])
@pytest.mark.parametrize(("value", "what"), WRONG.values(), ids=WRONG)
def test_anything_else_stops_the_router_at_its_first_message_and_is_named(is_consumer, value, what):
    """No retry, no poison record, nothing acked: the program is wrong, not the message."""
    router, subscription, publisher = start(
        lambda m: value(), FailurePolicy(), CorrelationID(), is_consumer=is_consumer
    )
    subscription.deliver(b"x", b"y")
    assert eventually(lambda: router.is_closed)

    with pytest.raises(HaltedError, match=f"^handler 'h' returned {what}"):
        router.close()
    assert subscription.committed() == 0
    assert [message.redeliveries for message in subscription.messages] == [0, 0]
    assert router.handlers["h"].poisoned == 0
    assert publisher.messages() == []


def test_messages_of_a_handler_without_a_publisher_stop_the_router():
    """They would go nowhere: it says so, instead of dropping them."""
    router, subscription, _ = start(lambda m: [Message(b"1")], FailurePolicy(), is_consumer=True)
    subscription.deliver(b"x")
    assert eventually(lambda: router.is_closed)

    with pytest.raises(HaltedError, match=r"'h' returned messages but has no publisher: use Router\.add_handler"):
        router.close()
    assert subscription.committed() == 0


@pytest.mark.parametrize(("value", "what"), WRONG.values(), ids=WRONG)
def test_what_a_middleware_returns_is_looked_at_as_well(value, what):
    """It stands outside the handler, whose own return value was right, and others stand outside of it."""
    router, subscription, _ = start(
        lambda m: [Message(b"1")], FailurePolicy(), CorrelationID(), lambda handler: lambda message: value()
    )
    subscription.deliver(b"x")
    assert eventually(lambda: router.is_closed)

    with pytest.raises(HaltedError, match=f"^handler 'h', or a middleware around it, returned {what}"):
        router.close()
    assert subscription.committed() == 0


def forgetting(next_handler):
    """Wrap *next_handler* and forget to return what it returned."""

    def handle(message):
        next_handler(message)

    return handle


def dropping(next_handler):
    """Wrap *next_handler* and drop what it returned."""
    return lambda message: next_handler(message) and []


def nacking(next_handler):
    """Wrap *next_handler* and ask for the first delivery again, whatever it has returned."""

    def handle(message):
        produced = next_handler(message)
        if message.redeliveries == 0:
            message.nack()
            return None
        return produced

    return handle


def spoiling(next_handler):
    """Wrap *next_handler* and fail at what it returned."""

    def handle(message):
        next_handler(message)
        raise PermanentError("no such output")

    return handle


def swallowing(next_handler):
    """Wrap *next_handler* and swallow its errors."""

    def handle(message):
        with contextlib.suppress(PermanentError):
            return next_handler(message)

    return handle


@pytest.mark.parametrize(
    ("output", "what"),
    [
        pytest.param(lambda: [Message(b"1")], "a message", id="one"),
        pytest.param(lambda: (Message(b"1"), Message(b"2")), "2 messages", id="two"),
        pytest.param(lambda: iter([Message(b"1")]), "a message", id="iterator"),
    ],
)
def test_middleware_that_loses_what_the_handler_returned_stops_the_router(output, what):
    """It says which one, between others that are right, and what to write; nothing is committed."""
    router, subscription, _ = start(lambda m: output(), FailurePolicy(), forgetting, CorrelationID())
    subscription.deliver(b"x", b"y")
    assert eventually(lambda: router.is_closed or subscription.committed())

    said = f"^middleware forgetting around handler 'h' returned None .* {what}: end it with `return next_handler"
    with pytest.raises(HaltedError, match=said):
        router.close()
    assert subscription.committed() == 0
    assert router.handlers["h"].poisoned == 0


@pytest.mark.parametrize(
    ("middlewares", "payloads", "poisoned"),
    [
        pytest.param([dropping], [], 0, id="drops"),
        pytest.param([nacking], [b"1"], 0, id="nacks"),
        pytest.param([FailurePolicy(), spoiling], [], 1, id="poisons"),
        pytest.param([swallowing, CorrelationID(), spoiling], [], 0, id="swallows"),
    ],
)
def test_output_that_is_meant_to_be_gone_stops_nothing(middlewares, payloads, poisoned):
    """An empty list says so, and a nack, an error: the last word on the message is another."""
    router, subscription, publisher = start(lambda m: [Message(b"1")], *middlewares)
    subscription.deliver(b"x")
    assert subscription.wait_committed(1)
    router.close()

    assert [m.payload for m in publisher.messages("out")] == payloads
    assert router.handlers["h"].poisoned == poisoned


def test_middleware_of_a_handler_that_only_consumes_is_called_without_a_detour():
    """It has nothing to lose."""

    def consume(message):
        return None

    def same(next_handler):
        return next_handler

    assert build_chain(consume, [same]) is consume
    assert build_chain(consume, [same], publishing="h") is not consume


def test_generator_that_a_middleware_returns_is_published_whole():
    """The correlation id is given without using it up."""

    def doubling(handler):
        def handle(message):
            yield from handler(message)
            yield Message(b"2")

        return handle

    router, subscription, publisher = start(lambda m: [Message(b"1")], CorrelationID(), doubling)
    subscription.deliver(b"x")
    assert subscription.wait_committed(1)
    router.close()

    assert [m.payload for m in publisher.messages("out")] == [b"1", b"2"]


def test_nothing_is_published_for_what_is_empty():
    """None, and no messages in any form."""
    answers = iter([None, [], (), iter([])])
    router, subscription, publisher = start(lambda m: next(answers), lambda handler: lambda m: handler(m) or [])
    subscription.deliver(*[b"x"] * 4)
    assert subscription.wait_committed(4)
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
