"""A registration that can never work is refused where it is written, and told what to pass."""

import functools
import traceback
from pathlib import Path

import pytest

import millstream
from millstream.middleware import CorrelationID, FailurePolicy, InstantAck, PoisonQueue, Retry, Throttle
from millstream.router import (
    ConfigurationError,
    ExitCode,
    InMemoryConfig,
    InMemoryPubSub,
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    PoisonFile,
    PoisonTopic,
    Router,
    RouterConfig,
    StateError,
    StormLimits,
)
from millstream.router.kafka.admin import KafkaAdmin
from millstream.router.kafka.client_config import KafkaClientConfig
from millstream.router.testing import FakeSubscriber, RecordingHandler, RecordingPublisher

PACKAGE = Path(millstream.__file__).resolve().parents[1]
SUBSCRIBER, PUBLISHER = FakeSubscriber(), RecordingPublisher()


class Own:
    """A handler that is an object, with methods that are handlers."""

    def __call__(self, message):
        """Do nothing."""

    def method(self, message):
        """Do nothing."""

    @classmethod
    def of_class(cls, message):
        """Do nothing."""

    @staticmethod
    def static(message):
        """Do nothing."""


class Async:
    """An object whose call is async."""

    async def __call__(self, message):
        """Do nothing."""


class Link:
    """A handler around the next one: its class is a middleware."""

    def __init__(self, following):
        self._following = following

    def __call__(self, message):
        """Handle *message* further inside."""
        return self._following(message)


def handle(message):
    """Do nothing."""


async def coroutine(message):
    """Do nothing that anybody awaits."""


async def async_generator(message):
    """Yield what nobody awaits."""
    yield message


def with_store(function):
    """Hand *function* a second argument, as decorators do."""

    @functools.wraps(function)
    def wrapper(message):
        return function(message, "store")

    return wrapper


@with_store
def decorated(message, store):
    """Do nothing."""


def consume(name="h", topic="t", subscriber=SUBSCRIBER, handler=handle, **options):
    """Return a call of `add_consumer_handler`."""
    return lambda: Router().add_consumer_handler(name, topic, subscriber, handler, **options)


def produce(name="h", topic="t", subscriber=SUBSCRIBER, to="out", publisher=PUBLISHER, handler=handle):
    """Return a call of `add_handler`."""
    return lambda: Router().add_handler(name, topic, subscriber, to, publisher, handler)


def wrap(*middlewares):
    """Return a call of `Router.add_middleware`."""
    return lambda: Router().add_middleware(*middlewares)


WRONG = {
    # Who it is, and where it reads.
    "subscriber in place of the name": (consume(SUBSCRIBER, "t", "h"), "the name of a handler is a FakeSubscriber"),
    "empty name": (consume(""), "the name of a handler is empty"),
    "no name": (consume(None), "the name of a handler is None"),
    "empty topic": (consume(topic=""), "'h': topic is empty: pass its name"),
    "no topic": (consume(topic=None), "'h': topic is None: pass its name"),
    "topic and subscriber swapped": (
        consume(topic=SUBSCRIBER, subscriber="t"),
        r"'h': topic is a FakeSubscriber: .*; the order is \(name, topic, subscriber, handler\)",
    ),
    "class of a subscriber": (consume(subscriber=InMemoryPubSub), r"the class InMemoryPubSub: pass an instance, InMem"),
    "class of a Kafka subscriber": (consume(subscriber=KafkaSubscriber), r"pass an instance, KafkaSubscriber\(…\)"),
    "configuration of a subscriber": (
        consume(subscriber=KafkaSubscriberConfig(brokers=["a:1"], group_id="g")),
        r"a KafkaSubscriberConfig, which has no subscribe\(\): pass a subscriber, such as KafkaSubscriber\(…\)",
    ),
    "publisher in place of the subscriber": (
        consume(subscriber=PUBLISHER),
        r"a RecordingPublisher, which has no subsc",
    ),
    "handler and subscriber swapped": (
        consume(subscriber=handle, handler=SUBSCRIBER),
        r"subscriber is a function, which has no subscribe\(\): .* the order is \(name, topic, subscriber, handler\)",
    ),
    # What it publishes to.
    "no publisher": (produce(publisher=None), "has no publisher: pass a publisher, .* or use add_consumer_handler"),
    "class of a publisher": (produce(publisher=KafkaPublisher), r"publisher is the class .* KafkaPublisher\(…\)"),
    "subscriber in place of the publisher": (
        produce(publisher=SUBSCRIBER),
        r"which has no publish\(\): pass a publisher",
    ),
    "publisher and its topic swapped": (
        produce(to=PUBLISHER, publisher="out"),
        "publish_topic is a RecordingPublisher: ",
    ),
    "empty publish topic": (produce(to=""), "'h': publish_topic is empty"),
    "no publish topic": (produce(to=None), "'h': publish_topic is None: .* publish_topic, publisher, handler"),
    # What handles.
    "no handler": (consume(handler=None), "handler 'h' is None: pass a function that takes the message"),
    "result of the handler": (consume(handler=[]), "handler 'h' is a list: pass a function that takes the message"),
    "class of a handler": (consume(handler=Own), r"handler 'h' is the class Own: pass an instance, Own\(…\)"),
    "method of no instance": (consume(handler=Own.method), r"takes \(self, message\): .* one argument, .* an instance"),
    "no argument": (consume(handler=lambda: None), "takes no argument: pass one that takes one argument, the message"),
    "two arguments": (produce(handler=lambda message, store: None), r"'h' takes \(message, store\): pass one that"),
    "keyword that nobody gives": (consume(handler=lambda m, *, store: None), r"'h' takes \(m, store\)"),
    "partial that has its argument": (consume(handler=functools.partial(handle, 1)), "handler 'h' takes no argument"),
    "async function": (consume(handler=coroutine), r"'h' is an async function: .* asyncio\.run\(…\) in an ordinary"),
    "async generator": (consume(handler=async_generator), "'h' is an async function"),
    "async object": (produce(handler=Async()), "'h' is an async function"),
    "partial of an async function": (consume(handler=functools.partial(coroutine)), "'h' is an async function"),
    # How.
    "no thread": (consume(concurrency=0), "concurrency must be a whole number of threads, at least 1, not 0"),
    "half a thread": (consume(concurrency=1.5), "at least 1, not 1.5"),
    "whole float": (consume(concurrency=2.0), "at least 1, not 2.0"),
    "a bool of threads": (consume(concurrency=True), "at least 1, not True"),
    "threads as text": (consume(concurrency="2"), "at least 1, not '2'"),
    "name of a poison topic": (
        consume(poison="dlq-topic"),
        r"'dlq-topic' is no choice: .* PoisonTopic\(publisher, 'dlq-t",
    ),
    "misspelt poison choice": (
        consume(poison="discard"),
        r"'discard' is no choice: .* HALT \(stop at the first\), DROP or",
    ),
    "empty poison choice": (consume(poison=""), r"poison='' is no choice: pass PoisonTopic\(publisher, topic\)"),
    "no poison": (
        consume(poison=None),
        r"poison=None is no choice: pass PoisonTopic.* REDELIVER \(again, without end\)",
    ),
    "class of a poison file": (consume(poison=PoisonFile), r"the class PoisonFile is no choice: .* PoisonFile\(…\)"),
    "path of a poison file": (
        consume(poison=Path("dlq")),
        r"poison=a \w*Path is no choice: for a file pass PoisonFile\(",
    ),
    "publisher in place of a poison topic": (
        consume(poison=PUBLISHER),
        r"a RecordingPublisher is no choice: pass PoisonT",
    ),
    "middleware in place of a poison choice": (consume(poison=PoisonQueue()), "poison=a PoisonQueue is no choice"),
    "poison topic of a topic": (
        lambda: PoisonTopic("dlq", PUBLISHER),
        r"'dlq', which has no publish\(\): pass KafkaPub",
    ),
    "poison topic of a class": (lambda: PoisonTopic(KafkaPublisher, "dlq"), "publisher is the class KafkaPublisher"),
    "poison topic without a name": (lambda: PoisonTopic(PUBLISHER, ""), "topic is empty: pass its name"),
    # The router itself, and the clients.
    "class of a router's configuration": (
        lambda: Router(RouterConfig),
        r"Router\(config\) is the class RouterConfig: pass an instance, RouterConfig\(…\)",
    ),
    "text in place of a configuration": (lambda: Router("x"), r"Router\(config\) is 'x': pass RouterConfig\(…\)"),
    "class of a pub/sub's configuration": (
        lambda: InMemoryPubSub(InMemoryConfig),
        r"pass an instance, InMemoryConfig\(",
    ),
    "seconds as text": (lambda: RouterConfig(close_timeout="3"), "close_timeout must be a number, not '3'"),
    "class of limits": (
        lambda: RouterConfig(poison_limits=StormLimits),
        r"the class .* pass an instance, StormLimits\(",
    ),
    "class of a subscriber's configuration": (
        lambda: KafkaSubscriber(KafkaSubscriberConfig),
        r"KafkaSubscriber\(config\) is the class .*: pass an instance, KafkaSubscriberConfig\(…\)",
    ),
    "class of a publisher's configuration": (
        lambda: KafkaPublisher(KafkaPublisherConfig),
        r"is the class KafkaPublisherConfig: pass an instance",
    ),
    "class of an admin's configuration": (
        lambda: KafkaAdmin(KafkaClientConfig),
        r"KafkaAdmin\(config\) is the class Ka",
    ),
    "brokers in place of a configuration": (
        lambda: KafkaSubscriber("kafka://me:secret@localhost:9092"),
        r"is 'kafka://\*+@localhost:9092': pass KafkaSubscriberConfig\(brokers=\[…\], group_id=…\)$",
    ),
    "configuration of a publisher for a subscriber": (
        lambda: KafkaSubscriber(KafkaPublisherConfig(brokers=["a:1"])),
        r"is a KafkaPublisherConfig: pass KafkaSubscriberConfig\(",
    ),
    "no brokers": (lambda: KafkaPublisher(None), r"is None: pass KafkaPublisherConfig\(brokers=\[…\]\)$"),
    # What stands around it.
    "no middleware": (wrap(None), "middleware is None: pass a function that takes the next handler"),
    "result of a middleware": (wrap(Retry(), 3), "middleware is 3: pass a function that takes the next handler"),
    "list of middleware": (wrap([Retry(), CorrelationID()]), r"is a list: pass each by itself, add_middleware\(\*…\)"),
    "class of a middleware": (wrap(InstantAck), r"the class InstantAck: pass an instance, InstantAck\(…\)"),
    "class of one with options": (wrap(Throttle), r"the class Throttle: pass an instance, Throttle\(…\)"),
    "middleware of no argument": (
        wrap(lambda: None),
        "takes no argument: pass one that takes one argument, the next han",
    ),
    "async middleware": (wrap(coroutine), "middleware coroutine is an async .* thread; write def, not async def"),
    "middleware of one handler": (
        lambda: Router().add_consumer_handler("h", "t", SUBSCRIBER, handle).add_middleware(Retry),
        r"the class Retry: pass an instance, Retry\(…\)",
    ),
    "plugin": (lambda: Router().add_plugin(None), "plugin is None: pass a function that takes the router"),
    "publisher decorator": (
        lambda: Router().add_publisher_decorator(PUBLISHER),
        "publisher decorator is a RecordingPub",
    ),
    "subscriber decorator": (
        lambda: Router().add_subscriber_decorator(lambda: 1),
        "subscriber decorator is a function",
    ),
    "worker": (lambda: Router().add_worker(handle), r"worker is a function, which has no drain\(\): pass a worker"),
}


@pytest.mark.parametrize(("call", "what"), WRONG.values(), ids=WRONG)
def test_wrong_registration_is_refused_where_it_is_written(call, what):
    """With exit code 2, a sentence that says what to pass, and a traceback whose last line outside the package is the call."""
    with pytest.raises(ConfigurationError, match=what) as caught:
        call()

    frames = [Path(frame.filename).resolve() for frame in traceback.extract_tb(caught.tb)]
    outside = [
        path for path in frames if not any(path.is_relative_to(PACKAGE / room) for room in ("router", "middleware"))
    ]
    assert outside == [Path(__file__).resolve()] * 2
    assert frames[: len(outside)] == outside
    assert ExitCode.of(caught.value) is ExitCode.USAGE


@pytest.mark.parametrize(
    "handler",
    [
        handle,
        lambda message: None,
        lambda message, store="default": None,
        lambda *arguments: None,
        Own(),
        Own().method,
        Own.of_class,
        Own.static,
        functools.partial(lambda store, message: None, "store"),
        decorated,
        RecordingHandler(),
        [].append,
        print,
    ],
)
def test_whatever_takes_a_message_is_a_handler(handler):
    """Functions, methods, objects, partials, decorated functions, and what is built in."""
    added = Router().add_consumer_handler("h", "t", SUBSCRIBER, handler)

    assert added.function == handler


@pytest.mark.parametrize(
    "middleware",
    [lambda handler: handler, Retry(), Throttle(1.0), FailurePolicy(poison=False), Link, functools.partial(Link)],
)
def test_whatever_takes_the_next_handler_is_middleware(middleware):
    """Also a class whose instances are handlers around the next one."""
    seen, subscriber, router = RecordingHandler(), FakeSubscriber(), Router()
    router.add_middleware(middleware)
    router.add_consumer_handler("h", "t", subscriber, seen)
    router.start()
    subscriber.subscription.deliver(b"x")
    committed = subscriber.subscription.wait_committed(1)
    router.close()

    assert committed
    assert seen.payloads == [b"x"]


@pytest.mark.parametrize("poison", ["redeliver", "halt", "none", "drop"])
def test_a_choice_may_be_named(poison):
    """As settings do it."""
    added = Router().add_consumer_handler("h", "t", SUBSCRIBER, handle, poison=poison)

    assert added.poison.value == ("halt" if poison == "none" else poison)


def test_what_was_refused_is_not_added():
    """The router can go on without it."""
    router = Router()
    for call in (lambda: router.add_consumer_handler("h", "t", SUBSCRIBER, None), lambda: router.add_middleware(None)):
        with pytest.raises(ConfigurationError):
            call()

    assert router.handlers == {}
    router.add_consumer_handler("h", "t", SUBSCRIBER, handle).add_middleware(Retry())
    router.start()
    router.close()
    with pytest.raises(StateError):
        router.add_middleware(Retry())
