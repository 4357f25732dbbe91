"""A registered handler: what the router was told about it, and the handle the user keeps."""

from __future__ import annotations

import threading
from typing import Protocol

from ..errors import StateError
from ..poison.choices import REDELIVER, Poison, chosen
from ..protocols import ChecksTopics, HandlerFunc, Middleware, Prepare, Publisher, Subscriber, TakeRun
from .chain import require_middlewares
from .registration import require_concurrency, require_reader


class Work(Protocol):
    """A handler at work, as its handle knows it."""

    @property
    def poisoned(self) -> int:
        """Messages whose poison record is safe."""
        ...

    @property
    def last_poisoned(self) -> str:
        """Why the last of them was set aside."""
        ...

    @property
    def failure(self) -> Exception | None:
        """Why a message waits to be delivered again."""
        ...

    @property
    def way(self) -> str:
        """How messages come to its function."""
        ...

    def leave(self) -> None:
        """Stop by itself while the others go on; returns at once."""
        ...


class Handler:
    """One handler of a router, returned by `Router.add_handler` and `Router.add_consumer_handler`.

    Example:
        >>> router = Router()
        >>> handler = router.add_consumer_handler("printer", "greetings", InMemoryPubSub(), print)
        >>> handler.add_middleware(Retry(max_retries=1))  # around this handler only
        >>> router.start()
        >>> handler.wait_started(), handler.poisoned
        (True, 0)
        >>> router.close()
    """

    def __init__(
        self,
        name: str,
        topic: str,
        subscriber: Subscriber,
        function: HandlerFunc,
        *,
        publish_topic: str | None = None,
        publisher: Publisher | None = None,
        poison: Poison = REDELIVER,
        concurrency: int = 1,
    ) -> None:
        require_reader(name, topic, subscriber, function)
        require_concurrency(name, concurrency)
        _check_topic(subscriber, topic)
        _check_topic(publisher, publish_topic)
        self.name = name
        self.topic = topic
        self.subscriber = subscriber
        self.function = function
        self.publish_topic = publish_topic
        self.publisher = publisher
        self.poison = chosen(name, poison)
        self.concurrency = concurrency
        self.middlewares: list[Middleware] = []
        self.take_run: TakeRun | None = None
        """What handles many messages at once, where the chain allows; see `take_runs`."""
        self.prepare: Prepare | None = None
        """Called with the payloads of some messages, on their thread, before they go through the chain one by one."""
        self._work: Work | None = None
        self._started = threading.Event()
        self._stopped = threading.Event()

    def add_middleware(self, *middlewares: Middleware) -> None:
        """Wrap this handler only, inside the router's middleware; the first added is the outermost.

        Raises:
            ConfigurationError: one is no middleware.
            StateError: the router has started; its chains are built.
        """
        if self._work is not None:
            raise StateError(f"handler {self.name!r} has started: add middleware before Router.run()")
        require_middlewares(middlewares)
        self.middlewares.extend(middlewares)

    def take_runs(self, take_run: TakeRun) -> None:
        """Let *take_run* handle many messages at once, past the chain, where it can: it does what the function does with each.

        It can where every middleware says `passes_success` or `Admits`, the handler publishes nothing and has one thread, and its
        subscription delivers runs (`DeliversRuns`), as those of Kafka do. `describe` tells.

        Raises:
            StateError: the router has started.
        """
        if self._work is not None:
            raise StateError(f"handler {self.name!r} has started: call take_runs before Router.run()")
        self.take_run = take_run

    def stop(self) -> None:
        """Stop taking in messages and return at once; what it has in hand is finished, flushed and committed.

        Then its subscription is closed: others of its consumer group get the partitions. One that does not show what is held
        of it (`ShowsBooks`), such as one in a decorator, stays open until the router closes. `wait_stopped` tells when. A
        publisher that others share stays open. When every handler has stopped, the router closes itself.

        Raises:
            StateError: it was not started, or this is a forked child.
        """
        if self._work is None:
            raise StateError(f"handler {self.name!r} was not started")
        self._work.leave()

    def wait_started(self, timeout: float | None = None) -> bool:
        """Wait until it is subscribed; returns False after *timeout* seconds."""
        return self._started.wait(timeout)

    def wait_stopped(self, timeout: float | None = None) -> bool:
        """Wait until it has stopped and its subscription is closed; returns False after *timeout* seconds."""
        return self._stopped.wait(timeout)

    @property
    def poisoned(self) -> int:
        """Messages that its poison sink has taken, with their records safe."""
        return 0 if self._work is None else self._work.poisoned

    @property
    def last_poisoned(self) -> str:
        """Why the last of them was set aside, in a line; empty before the first, and for `HALT` and `REDELIVER`."""
        return "" if self._work is None else self._work.last_poisoned

    @property
    def failure(self) -> Exception | None:
        """What was raised for a message that waits to be delivered again; `None` while none waits. Of several, the last."""
        return None if self._work is None else self._work.failure

    def describe(self) -> str:
        """Return, in a line, what it consumes and how: in runs, past its chain, or message by message, and why."""
        way = "not started" if self._work is None else f"handles messages {self._work.way}"
        return f"handler {self.name!r} on {self.topic!r}: {way}"

    def mark_started(self, work: Work) -> None:
        """Note that the router runs it. For the router."""
        self._work = work
        self._started.set()

    def mark_stopped(self) -> None:
        """Note that its threads have ended. For the router."""
        self._stopped.set()

    def __repr__(self) -> str:
        return f"<Handler {self.name!r} on {self.topic!r}>"


def _check_topic(neighbour: object, topic: object) -> None:
    if isinstance(neighbour, ChecksTopics):
        neighbour.check_topic(topic)
