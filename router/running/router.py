"""The router: takes messages from subscribers through middleware to handlers, and settles what becomes of them."""

from __future__ import annotations

import contextlib
import enum
import math
import threading
from collections.abc import Callable
from typing import Any

import msgspec
from loguru import logger

from ..clock import MONOTONIC, Clock
from ..delivery.context import Scope
from ..errors import ConfigurationError, StateError, UndrainedError
from ..exit_codes import is_bug
from ..poison.choices import Poison, PoisonTopic
from ..protocols import (
    HandlerFunc,
    Middleware,
    Publisher,
    PublisherDecorator,
    Subscriber,
    SubscriberDecorator,
    Worker,
)
from ..worker_thread import WorkerThread
from .handler import Handler
from .handler_run import HandlerRun
from .runner import Retries
from .shutdown import Closable, close_once, shut_down

WATCH_SECONDS = 0.02
"""How often the router looks whether it should close, a thread died or every handler stopped. A flag that is polled, as a
signal handler may set it in the middle of anything, where taking a lock could wait for ever."""

SIGNAL_SECONDS = 0.5
"""After which a wait begins anew: a signal that reaches another thread, or comes right before the wait, does not end it."""
ABORT_SECONDS = 1.0
"""What subscriptions may take in all to commit what is durable, when the process has to end at once."""

Plugin = Callable[["Router"], None]
"""Called with the router at the beginning of its start; an error ends the start."""


class RouterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a router.

    Args:
        close_timeout: seconds that `close` waits for handlers, flushes and poison records.
        nack_resend_delay: seconds before a nacked message is delivered again.
        max_redeliveries: redeliveries of one message before its handler's poison sink takes it; unlimited without a sink.
    """

    close_timeout: float = 30.0
    nack_resend_delay: float = 0.1
    max_redeliveries: int = 10

    def __post_init__(self) -> None:
        for name in ("close_timeout", "nack_resend_delay", "max_redeliveries"):
            if getattr(self, name) < 0:
                raise ConfigurationError(f"RouterConfig.{name} must not be negative, not {getattr(self, name)}")


class State(enum.Enum):
    """The life of a router; it goes forward only."""

    NEW = "new"
    STARTING = "starting"
    RUNNING = "running"
    CLOSING = "closing"
    CLOSED = "closed"


class Router:
    """Register handlers, middleware and workers, then `run`.

    Everything is added before the start and fixed by it. One thread, `millstream-router`, owns the life of a started router:
    it watches the others and closes everything in order. Every method may be called from any thread.
    """

    def __init__(self, config: RouterConfig | None = None, *, clock: Clock = MONOTONIC) -> None:
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
        self._state = State.NEW
        self._changed = threading.Condition()
        self._is_close_requested = False
        self._error: BaseException | None = None
        self._thread = WorkerThread("millstream-router", self._supervise)

    def add_handler(
        self,
        name: str,
        topic: str,
        subscriber: Subscriber,
        publish_topic: str,
        publisher: Publisher,
        handler: HandlerFunc,
        *,
        poison: Poison | None = None,
        concurrency: int = 1,
    ) -> Handler:
        """Handle the messages of *topic* and publish what *handler* returns to *publish_topic*, before the ack.

        Args:
            name: unique in this router; it stands in logs, errors and poison records.
            topic: where messages come from.
            subscriber: what subscribes to it.
            publish_topic: where produced messages go.
            publisher: what sends them; closed last, once, also when several handlers share it.
            handler: called once per message; see `HandlerFunc`.
            poison: what becomes of messages that cannot be handled; `None`: they are delivered again, without end.
            concurrency: threads; with more than one, order is kept per message key (per partition without one).

        Raises:
            ConfigurationError: the name is taken.
            StateError: the router has started.
        """
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
        poison: Poison | None = None,
        concurrency: int = 1,
    ) -> Handler:
        """Handle the messages of *topic*; nothing is published. The arguments are those of `add_handler`."""
        return self._add(Handler(name, topic, subscriber, handler, poison=poison, concurrency=concurrency))

    def _add(self, handler: Handler) -> Handler:
        self._require_new("add handlers")
        if handler.name in self._handlers:
            raise ConfigurationError(f"a handler called {handler.name!r} exists already: names are unique in a router")
        self._handlers[handler.name] = handler
        return handler

    def add_middleware(self, *middlewares: Middleware) -> None:
        """Wrap every handler, outside its own middleware; the first added is the outermost."""
        self._require_new("add middleware")
        self._middlewares.extend(middlewares)

    def add_plugin(self, *plugins: Plugin) -> None:
        """Call *plugins* with this router, in order, at the beginning of its start."""
        self._require_new("add plugins")
        self._plugins.extend(plugins)

    def add_publisher_decorator(self, *decorators: PublisherDecorator) -> None:
        """Wrap the publisher of every handler; the first added is the outermost, so it sees a message first."""
        self._require_new("add decorators")
        self._publisher_decorators.extend(decorators)

    def add_subscriber_decorator(self, *decorators: SubscriberDecorator) -> None:
        """Wrap the subscriber of every handler; the first added is the innermost, so it sees a message first."""
        self._require_new("add decorators")
        self._subscriber_decorators.extend(decorators)

    def add_worker(self, worker: Worker) -> None:
        """Start, drain and watch over *worker* together with the handlers; adding it again does nothing."""
        self._require_new("add workers")
        if all(worker is not known for known in self._workers):
            self._workers.append(worker)

    def _require_new(self, what: str) -> None:
        if self._state is not State.NEW:
            raise StateError(f"the router has started: {what} before Router.run()")

    @property
    def handlers(self) -> dict[str, Handler]:
        """The registered handlers by name."""
        return dict(self._handlers)

    @property
    def is_running(self) -> bool:
        """Whether every handler is subscribed and none was told to stop yet."""
        return self._state is State.RUNNING

    @property
    def is_closed(self) -> bool:
        """Whether everything has ended."""
        return self._state is State.CLOSED

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
        """Start everything and return once every handler is subscribed. `run` is this and waiting for the end."""
        with self._changed:
            self._require_new("a router runs once, make a new one and")
            self._state = State.STARTING
        try:
            for plugin in self._plugins:
                plugin(self)
            self._start_runs()
        except BaseException:
            try:
                self._close_everything()
            finally:
                self._set_state(State.CLOSED)
            raise
        self._set_state(State.RUNNING)
        self._thread.start()
        logger.bind(handlers=list(self._handlers)).info("router started")

    def _start_runs(self) -> None:
        retries = Retries(self.config.nack_resend_delay, self.config.max_redeliveries)
        subscribers: dict[int, Subscriber] = {}
        publishers: dict[int, Publisher] = {}
        for handler in self._handlers.values():
            run = HandlerRun(
                handler,
                self._middlewares,
                subscriber=_decorated(handler.subscriber, self._subscriber_decorators, subscribers),
                publisher=_decorated(handler.publisher, list(reversed(self._publisher_decorators)), publishers),
                scope=self._scope,
                workers=self._workers,
                retries=retries,
                fail=self.fail,
            )
            self._runs.append(run)
        for worker in self._workers:
            worker.start()
        for run in self._runs:
            run.start()

    def wait_running(self, timeout: float | None = None) -> bool:
        """Wait until every handler is subscribed; returns False after *timeout* seconds, or when it never will be."""
        self._wait_for({State.RUNNING, State.CLOSING, State.CLOSED}, timeout)
        return self.is_running

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait for the end and raise what ended it, if that was an error; returns False after *timeout* seconds."""
        if not self._wait_for({State.CLOSED}, timeout):
            return False
        if self._error is not None:
            raise self._error
        return True

    def _wait_for(self, states: set[State], timeout: float | None) -> bool:
        deadline = math.inf if timeout is None else MONOTONIC.now() + timeout
        with self._changed:
            while self._state not in states and (left := deadline - MONOTONIC.now()) > 0:
                self._changed.wait(min(left, SIGNAL_SECONDS))
            return self._state in states

    def close(self) -> None:
        """Finish what is in hand, flush, commit, and end; blocks until then, unless a handler calls it. May be called twice.

        Raises:
            UndrainedError: names what was still running after `close_timeout`; nothing of it is lost.
            HaltedError, or another error: what had stopped the router before.
        """
        self.request_close()
        with self._changed:
            if self._state is State.NEW:
                self._set_state(State.CLOSED)
        if any(thread.is_current for run in self._runs for thread in run.threads):
            return
        self.wait_closed()

    def request_close(self) -> None:
        """Begin to close and return at once. Safe in a signal handler."""
        self._is_close_requested = True

    def fail(self, error: BaseException) -> None:
        """Stop the router with *error*, which `run` and `close` then raise. The first one counts. Returns at once."""
        if self._error is None:
            self._error = error
            if not is_bug(error):  # a bug has been told, with its traceback, by the thread that died of it
                logger.error("the router stops: {}", error)
        self.request_close()

    def abort(self) -> None:
        """Commit what is durable, leave, and return, without a flush: for a second signal, right before the process ends."""
        self._scope.cancel()
        for run in self._runs:
            run.stop()
            run.begin_close_subscription(ABORT_SECONDS)
        for run in self._runs:
            with contextlib.suppress(UndrainedError):  # that is what an abort is
                run.close_subscription()

    def _supervise(self) -> None:
        try:
            self._watch_until_closing()
            logger.info("router closing")
            self._close_everything()
        except BaseException as error:  # noqa: BLE001 - kept, so that whoever waits for the end hears of it
            self.fail(error)
        finally:
            logger.info("router closed")  # before anybody who waits for it goes on
            self._set_state(State.CLOSED)

    def _watch_until_closing(self) -> None:
        pause = threading.Event()
        try:
            while not self._is_close_requested:
                pause.wait(WATCH_SECONDS)
                self._watch()
        except Exception as error:  # noqa: BLE001 - a worker of any make is asked; close in order nevertheless
            self.fail(error)
        self._set_state(State.CLOSING)

    def _watch(self) -> None:
        threads = [thread for run in self._runs for thread in run.threads]
        sinks = [run.sink_worker for run in self._runs if run.sink_worker is not None]
        deaths = [thread.error for thread in threads]
        deaths += [run.subscription_error for run in self._runs]
        deaths += [worker.error for worker in self._workers]
        deaths += [sink.error for sink in sinks]
        deaths += [_death_of(publisher) for publisher in self._publishers()]
        for error in deaths:
            if error is not None:
                self.fail(error)
        for run in self._runs:
            if not any(thread.is_alive for thread in run.threads):
                run.handler.mark_stopped()
        if self._runs and not any(thread.is_alive for thread in threads):
            logger.info("all handlers stopped")
            self.request_close()

    def _close_everything(self) -> None:
        left = shut_down(self._runs, self._workers, self._scope, self.config.close_timeout, self.fail)
        close_once(self._neighbours())
        self._scope.cancel()
        self._watch()
        if left and self._error is None:
            self._error = UndrainedError(left, self.config.close_timeout)

    def _neighbours(self) -> list[Closable]:
        """Subscribers, then publishers, in the order of closing; those of poison topics unless a handler has them too."""
        subscribers: list[Closable] = [run.subscriber for run in self._runs]
        publishers = [run.publisher for run in self._runs if run.publisher is not None]
        known = [run.handler.publisher for run in self._runs]
        topics = [topic for topic in self._poison_publishers() if all(topic is not each for each in known)]
        return [*subscribers, *publishers, *topics]

    def _poison_publishers(self) -> list[Publisher]:
        choices = [run.handler.poison for run in self._runs]
        return [choice.publisher for choice in choices if isinstance(choice, PoisonTopic)]

    def _publishers(self) -> list[Publisher]:
        own = [run.handler.publisher for run in self._runs if run.handler.publisher is not None]
        return [*own, *self._poison_publishers()]

    def _set_state(self, state: State) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()


def _death_of(publisher: Publisher) -> BaseException | None:
    """Return what a publisher with a thread of its own died of: idle, nobody would hear of it."""
    error = getattr(publisher, "error", None)
    return error if isinstance(error, BaseException) else None


def _decorated(neighbour: Any, decorators: list[Callable[[Any], Any]], known: dict[int, Any]) -> Any:
    """Wrap *neighbour* once, also when several handlers share it."""
    if neighbour is None:
        return None
    if id(neighbour) not in known:
        wrapped = neighbour
        for decorate in decorators:
            wrapped = decorate(wrapped)
        known[id(neighbour)] = wrapped
    return known[id(neighbour)]
