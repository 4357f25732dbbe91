"""The router: takes messages from subscribers through middleware to handlers, and settles what becomes of them."""

from __future__ import annotations

from collections.abc import Callable

from loguru import logger

from ..callables import require_callable, require_instance, require_method
from ..clock import MONOTONIC, Clock
from ..delivery.context import Scope
from ..errors import ConfigurationError
from ..poison.choices import REDELIVER, Poison, PoisonTopic
from ..protocols import (
    HandlerFunc,
    Middleware,
    Publisher,
    PublisherDecorator,
    Subscriber,
    SubscriberDecorator,
    Worker,
)
from .chain import require_middlewares
from .claims import Claims
from .clashes import refuse_clashes
from .config import RouterConfig
from .handler import Handler
from .handler_run import HandlerRun
from .lifecycle import Lifecycle, State
from .look_ahead import look_ahead
from .neighbours import decorated, last_errors_of
from .registration import require_decorators, require_publisher
from .runner import Retries
from .supervisor import Supervisor

Plugin = Callable[["Router"], None]
"""Called with the router at the beginning of its start; an error ends the start."""


class Router:
    """Register handlers, middleware and workers, then `run`.

    Everything is added before the start and fixed by it. One thread, `millstream-router`, owns the life of a started router:
    it watches the others and closes everything in order. Every method may be called from any thread.

    Example:
        >>> broker = InMemoryPubSub(InMemoryConfig(block_publish_until_ack=True))
        >>> router = Router()
        >>> router.add_consumer_handler("printer", "greetings", broker, lambda message: print(message.payload))
        <Handler 'printer' on 'greetings'>
        >>> router.start()
        >>> broker.publish("greetings", Message(b"hello"))
        b'hello'
        >>> router.close()
    """

    def __init__(self, config: RouterConfig | None = None, *, clock: Clock = MONOTONIC) -> None:
        if config is not None:
            require_instance("Router(config)", config, RouterConfig, "RouterConfig(…)")
        self.config = RouterConfig() if config is None else config
        self._clock = clock
        self._handlers: dict[str, Handler] = {}
        self._middlewares: list[Middleware] = []
        self._plugins: list[Plugin] = []
        self._publisher_decorators: list[PublisherDecorator] = []
        self._subscriber_decorators: list[SubscriberDecorator] = []
        self._workers: list[Worker] = []
        self._runs: list[HandlerRun] = []
        self._scope = Scope(clock)
        self._life = Lifecycle()
        self._claims = Claims()
        self._supervisor = Supervisor(
            self._life, self._runs, self._workers, self._scope, self.config.close_timeout, self._claims
        )

    def add_handler(
        self,
        name: str,
        topic: str,
        subscriber: Subscriber,
        publish_topic: str,
        publisher: Publisher,
        handler: HandlerFunc,
        *,
        poison: Poison = REDELIVER,
        concurrency: int = 1,
    ) -> Handler:
        """Handle the messages of *topic* and publish what *handler* returns to *publish_topic*, before the ack.

        Args:
            name: unique in this router; it stands in logs, errors and poison records.
            topic: where messages come from.
            subscriber: what subscribes to it; the router closes its own subscriptions, the subscriber is yours to close.
            publish_topic: where produced messages go.
            publisher: what sends them; closed last, once, also when several handlers share it; by the last of several routers.
            handler: called once per message; see `HandlerFunc`.
            poison: what becomes of messages that cannot be handled: `PoisonTopic`, `PoisonFile`, `HALT`, `DROP`, or by default
                `REDELIVER`: they are delivered again, without end.
            concurrency: threads; with more than one, order is kept per message key (per partition without one).

        Raises:
            ConfigurationError: the name is taken, a topic cannot be called so, or an argument can never work, such as a class
                in place of its instance or an async function for a handler; says what to pass.
            StateError: the router has started.
        """
        require_publisher(name, publish_topic, publisher)
        return self._add(
            Handler(
                name,
                topic,
                subscriber,
                handler,
                publish_topic=publish_topic,
                publisher=publisher,
                poison=poison,
                concurrency=concurrency,
            )
        )

    def add_consumer_handler(
        self,
        name: str,
        topic: str,
        subscriber: Subscriber,
        handler: HandlerFunc,
        *,
        poison: Poison = REDELIVER,
        concurrency: int = 1,
    ) -> Handler:
        """Handle the messages of *topic*; nothing is published. The arguments are those of `add_handler`."""
        return self._add(Handler(name, topic, subscriber, handler, poison=poison, concurrency=concurrency))

    def _add(self, handler: Handler) -> Handler:
        self._life.require_new("add handlers")
        if handler.name in self._handlers:
            raise ConfigurationError(f"a handler called {handler.name!r} exists already: names are unique in a router")
        self._handlers[handler.name] = handler
        poison = handler.poison.publisher if isinstance(handler.poison, PoisonTopic) else None
        self._claims.add([handler.subscriber, handler.publisher, poison])
        return handler

    def add_middleware(self, *middlewares: Middleware) -> None:
        """Wrap every handler, outside its own middleware; the first added is the outermost.

        Raises:
            ConfigurationError: one is no callable that takes the next handler.
            StateError: the router has started.
        """
        self._life.require_new("add middleware")
        require_middlewares(middlewares)
        self._middlewares.extend(middlewares)

    def add_plugin(self, *plugins: Plugin) -> None:
        """Call *plugins* with this router, in order, at the beginning of its start."""
        self._life.require_new("add plugins")
        for each in plugins:
            require_callable("plugin", each, "the router")
        self._plugins.extend(plugins)

    def add_publisher_decorator(self, *decorators: PublisherDecorator) -> None:
        """Wrap the publisher of every handler; the first added is the outermost, so it sees a message first."""
        self._life.require_new("add decorators")
        require_decorators("publisher", decorators)
        self._publisher_decorators.extend(decorators)

    def add_subscriber_decorator(self, *decorators: SubscriberDecorator) -> None:
        """Wrap the subscriber of every handler; the first added is the innermost, so it sees a message first."""
        self._life.require_new("add decorators")
        require_decorators("subscriber", decorators)
        self._subscriber_decorators.extend(decorators)

    def add_worker(self, worker: Worker) -> None:
        """Start, drain and watch over *worker* together with the handlers; adding it again does nothing."""
        self._life.require_new("add workers")
        require_method("worker", worker, "drain", "a worker, such as MessageBatcher(…)")
        if all(worker is not known for known in self._workers):
            self._workers.append(worker)

    @property
    def handlers(self) -> dict[str, Handler]:
        """The registered handlers by name."""
        return dict(self._handlers)

    @property
    def workers(self) -> list[Worker]:
        """The workers that were added, in order."""
        return list(self._workers)

    @property
    def last_errors(self) -> dict[str, str]:
        """What keeps a worker or a poison sink from its work, by its name, in a line each; empty while all is well."""
        return last_errors_of(self._runs, self._workers)

    @property
    def is_running(self) -> bool:
        """Whether every handler is subscribed and none was told to stop yet."""
        return self._life.state is State.RUNNING

    @property
    def is_closed(self) -> bool:
        """Whether everything has ended."""
        return self._life.state is State.CLOSED

    def run(self) -> None:
        """Start, and block until the router has closed: by `close`, a signal, an error, or because every handler stopped.

        Raises:
            HaltedError: a policy stopped it.
            UndrainedError: `close_timeout` was too short.
            StateError: it ran before; make a new router.
        """
        self.start()
        self.wait_closed()

    def start(self) -> None:
        """Start everything and return once every handler is subscribed. `run` is this and waiting for the end.

        Raises:
            ConfigurationError: what was added does not go together, see `clashes`, or a neighbour cannot be used as it is.
            StateError: it ran before; make a new router.
        """
        self._life.begin()
        try:
            refuse_clashes(list(self._handlers.values()))
            for plugin in self._plugins:
                plugin(self)
            look_ahead(list(self._handlers.values()))
            self._start_runs()
        except BaseException:
            try:
                self._supervisor.close_everything()
            finally:
                self._life.reach(State.CLOSED)
            raise
        self._life.reach(State.RUNNING)
        self._supervisor.start()
        logger.bind(handlers=list(self._handlers)).info("router started")

    def _start_runs(self) -> None:
        config = self.config
        retries = Retries(config.nack_resend_delay, config.max_nack_resend_delay, config.max_redeliveries)
        subscribers: dict[int, Subscriber] = {}
        publishers: dict[int, Publisher] = {}
        for handler in self._handlers.values():
            run = HandlerRun(
                handler,
                self._middlewares,
                subscriber=decorated(handler.subscriber, self._subscriber_decorators, subscribers),
                publisher=decorated(handler.publisher, list(reversed(self._publisher_decorators)), publishers),
                scope=self._scope,
                workers=self._workers,
                retries=retries,
                close_timeout=config.close_timeout,
                limits=config.poison_limits,
                fail=self.fail,
            )
            self._runs.append(run)
        for worker in self._workers:
            worker.start()
        for run in self._runs:
            run.start()

    def wait_running(self, timeout: float | None = None) -> bool:
        """Wait until every handler is subscribed; returns False after *timeout* seconds, or when it never will be."""
        self._life.wait_for({State.RUNNING, State.CLOSING, State.CLOSED}, timeout)
        return self.is_running

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait for the end and raise what ended it, if that was an error; returns False after *timeout* seconds."""
        return self._life.wait_closed(timeout)

    def close(self) -> None:
        """Finish what is in hand, flush, commit, and end. May be called twice.

        Blocks until then, unless a thread calls it that it would wait for: of a handler, a batcher, a poison sink, a plugin.

        Raises:
            UndrainedError: names what was still running after `close_timeout`; nothing of it is lost.
            HaltedError, or another error: what had stopped the router before.
            StateError: in a forked child, which has none of its threads.
        """
        self._life.require_own_process()
        self.request_close()
        if self._life.close_if_new():
            self._claims.give_up()
        if not (self._life.is_starting_here or self._supervisor.is_on_own_thread):
            self.wait_closed()

    def request_close(self, *, signal: str = "") -> None:
        """Begin to close and return at once. Safe in a signal handler, whose *signal* is then named in the log."""
        self._life.request_close(signal)

    def fail(self, error: BaseException) -> None:
        """Stop the router with *error*, which `run` and `close` then raise. The first one counts. Returns at once."""
        self._life.fail(error)

    def abort(self) -> None:
        """Commit what is durable, leave, and return, without a flush: for a second signal, right before the process ends."""
        self._life.require_own_process()
        self._supervisor.abort()
