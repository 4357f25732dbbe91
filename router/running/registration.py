"""What one registration says that can never work: refused where it is written, with a sentence that says what to pass."""

from __future__ import annotations

from collections.abc import Sequence

from ..callables import described, require_callable, require_method, require_text, takes_one
from ..errors import ConfigurationError

ORDER = "; the order is (name, topic, subscriber, handler)"
FULL_ORDER = "; the order is (name, topic, subscriber, publish_topic, publisher, handler)"
READS = f"a subscriber, such as KafkaSubscriber(…) or InMemoryPubSub(){ORDER}"
SENDS = "a publisher, such as KafkaPublisher(…) or InMemoryPubSub()"


def require_reader(name: object, topic: object, subscriber: object, function: object) -> None:
    """Look at what every handler has.

    Raises:
        ConfigurationError: something is of the wrong kind, empty, or stands in another's place.
    """
    require_text("the name of a handler", name)
    handler = f"handler {name!r}"
    _require_topic(f"{handler}: topic", topic, ORDER)
    require_method(f"{handler}: subscriber", subscriber, "subscribe", READS)
    require_callable(handler, function, "the message")


def require_publisher(name: str, topic: object, publisher: object) -> None:
    """Look at what a handler has that publishes; raises as `require_reader` does."""
    handler = f"handler {name!r}"
    if publisher is None:
        raise ConfigurationError(f"{handler} has no publisher: pass {SENDS}, or use add_consumer_handler")
    _require_topic(f"{handler}: publish_topic", topic, FULL_ORDER)
    require_method(f"{handler}: publisher", publisher, "publish", f"{SENDS}{FULL_ORDER}")


def require_concurrency(name: str, concurrency: object) -> None:
    """Raise ConfigurationError unless *concurrency*, of the handler *name*, is a number of threads."""
    if type(concurrency) is not int or concurrency < 1:
        raise ConfigurationError(
            f"handler {name!r}: concurrency must be a whole number of threads, at least 1, not {described(concurrency)}"
        )


def require_decorators(kind: str, decorators: Sequence[object]) -> None:
    """Raise ConfigurationError unless each of *decorators* can be called with a *kind*, publisher or subscriber."""
    for each in decorators:
        if not callable(each) or not takes_one(each):
            raise ConfigurationError(
                f"{kind} decorator is {described(each)}: pass a function that takes a {kind} and returns one"
            )


def _require_topic(what: str, topic: object, order: str) -> None:
    if not isinstance(topic, str):
        raise ConfigurationError(f"{what} is {described(topic)}: pass its name as text{order}")
    require_text(what, topic)
