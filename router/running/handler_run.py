"""One handler while the router runs: its subscription, its threads, its poison sink, and what happens on a rebalance."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from loguru import logger

from ..clock import MONOTONIC
from ..delivery.assignment import Assignment
from ..delivery.context import Scope
from ..delivery.message import Message
from ..delivery.mistakes import Mistakes
from ..delivery.route import Route
from ..errors import ConfigurationError, HaltedError, text_of_error
from ..own_process import OwnProcess
from ..poison.sinks import make_sink
from ..poison.storm import StormGuard, StormLimits
from ..protocols import (
    ClosesSlowly,
    DeliversRuns,
    HandlerFunc,
    Middleware,
    Publisher,
    Subscriber,
    Subscription,
    Worker,
)
from ..worker_thread import WorkerThread
from .chain import build_chain, warn_of_useless_retries
from .departure import Departure
from .fan_out import FanOut
from .handler import Handler
from .outgoing import Outgoing
from .returned import checked
from .run_runner import RunRunner
from .runner import Retries, Runner, Source
from .ways import admits_runs, why_one_by_one

LOOK_AGAIN_SECONDS = 0.001
"""Between looks at whether a chain still runs on a revoked partition; a chain step takes microseconds to milliseconds."""


class HandlerRun:
    """What the router keeps of a handler that it runs; the listener of its subscription.

    Args:
        handler: what was registered.
        middlewares: the router-level middleware.
        subscriber, publisher: the handler's own, decorated.
        scope: the router's; ends waits at shutdown.
        workers: all workers of the router, to be told of revoked and lost partitions.
        retries: how a nacked message is delivered again.
        close_timeout: seconds that it may take to flush when it stops by itself.
        limits: how much it may set aside.
        fail: stops the router with an error.
    """

    def __init__(
        self,
        handler: Handler,
        middlewares: Sequence[Middleware],
        *,
        subscriber: Subscriber,
        publisher: Publisher | None,
        scope: Scope,
        workers: Sequence[Worker],
        retries: Retries,
        close_timeout: float,
        limits: StormLimits,
        fail: Callable[[BaseException], None],
    ) -> None:
        self.handler = handler
        self.subscriber = subscriber
        self.publisher = publisher
        guard = StormGuard(handler.name, limits, self._begun)
        self.sink, self.sink_worker = make_sink(handler.name, handler.poison, self._halt, guard, fail)
        self._scope = scope
        self._workers = workers
        self._retries = retries
        self._fail = fail
        self._mistakes = Mistakes(f"handler {handler.name!r}")
        self.subscription: Subscription | None = None
        """Once it is started."""
        self._process = OwnProcess("handler")
        self._runners: list[Runner] = []
        self._fan_out: FanOut | None = None
        self._departure = Departure(handler.name, scope, self._all_workers, close_timeout)
        self._outgoing = Outgoing(handler.name, handler.publish_topic, publisher)
        chain = self._middlewares = [*middlewares, *handler.middlewares]
        self._is_judged = any(getattr(each, "judges_errors", False) for each in chain)
        self._chain = self._build_chain(chain)

    way = "not yet"
    """How it handles messages; known once it is started."""

    @property
    def name(self) -> str:
        """What the handler is called; see `Named`."""
        return self.handler.name

    def _build_chain(self, middlewares: Sequence[Middleware]) -> HandlerFunc:
        for middleware in middlewares:
            if getattr(middleware, "needs_poison_sink", False) and self.sink is None:
                raise ConfigurationError(
                    f"handler {self.handler.name!r} has {type(middleware).__name__} but no poison sink: pass "
                    "poison=PoisonTopic(…), PoisonFile(…), HALT or DROP where the handler is added"
                )
        handler = self.handler
        warn_of_useless_retries(handler.name, middlewares)
        publishing = None if handler.publisher is None else handler.name
        return build_chain(checked(handler.name, handler.function), middlewares, publishing=publishing)

    def start(self) -> None:
        """Subscribe and start the threads."""
        if self.sink_worker is not None:
            self.sink_worker.start()
        subscription = self.subscription = self.subscriber.subscribe(self.handler.topic, self)
        name, count = self.handler.name, self.handler.concurrency
        why = why_one_by_one(self.handler, self._middlewares, subscription)
        self.way = f"message by message through its chain, as {why}" if why else "in runs, past its chain"
        if count == 1:
            self._runners = [self._runner(name, subscription, _by_assignment, in_runs=not why)]
        else:
            self._fan_out = FanOut(name, subscription, count)
            shares = enumerate(self._fan_out.shares)
            self._runners = [self._runner(f"{name}-{number}", share, _by_key) for number, share in shares]
        for thread in self._message_threads:
            thread.start()
        self.handler.mark_started(self)
        logger.bind(handler=name, topic=self.handler.topic).info("handler started")
        logger.bind(handler=name).debug("messages are handled {way}", way=self.way)

    def _runner(
        self, name: str, source: Source, order_key: Callable[[Message], Hashable], *, in_runs: bool = False
    ) -> Runner:
        worker, take_run = self.sink_worker, self.handler.take_run
        make: Callable[..., Runner] = partial(Runner, source=source)
        if in_runs and isinstance(source, DeliversRuns) and take_run is not None:
            admits = list(filter(admits_runs, self._middlewares))
            make = partial(RunRunner, source=source, take_run=take_run, admits=admits)
        runner = make(
            name=name,
            chain=self._chain,
            publish=self._outgoing.send,
            sink=self.sink,
            retries=self._retries,
            is_judged=self._is_judged,
            now=self._scope.clock.now,
            is_blocked=(lambda: False) if worker is None else lambda: worker.is_blocked,
            order_key=order_key,
        )
        if not in_runs:  # what is not taken in runs has something odd about it
            runner.prepare = self.handler.prepare
        return runner

    @property
    def threads(self) -> list[WorkerThread]:
        """Its threads: those that handle messages, and the one that sees to its end when it stops by itself."""
        return [*self._message_threads, self._departure.thread]

    @property
    def _message_threads(self) -> list[WorkerThread]:
        fan_out = [] if self._fan_out is None else [self._fan_out.thread]
        return fan_out + [runner.thread for runner in self._runners]

    def stop(self) -> None:
        """Take in nothing new; returns at once."""
        if self._fan_out is not None:
            self._fan_out.stop()
        for runner in self._runners:
            runner.stop()

    def leave(self) -> None:
        """Stop by itself while the others go on; see `Handler.stop`."""
        self._process.require("only the process that started the router can stop it")
        if self.subscription is not None:
            self._departure.begin(
                self._message_threads, self.subscription
            )  # first: a handler without threads has stopped
        self.stop()

    def feeds(self, other: HandlerRun) -> bool:
        """Whether what it publishes goes to *other* inside the process, through a pub/sub that both share."""
        reader: object = other.handler.subscriber
        return self.handler.publish_topic == other.handler.topic and self.handler.publisher is reader

    @property
    def poisoned(self) -> int:
        """Messages whose poison record is safe."""
        return 0 if self.sink_worker is None else self.sink_worker.poisoned

    @property
    def last_poisoned(self) -> str:
        """Why the last of them was set aside; empty while there is none."""
        return "" if self.sink_worker is None else self.sink_worker.last_reason

    @property
    def failure(self) -> Exception | None:
        """Why a message of it waits to be delivered again, if one does."""
        return next((runner.failure for runner in self._runners if runner.failure is not None), None)

    def _begun(self) -> int:
        """Return how many messages the chain has begun with, but for those that other threads have in hand: none is good yet."""
        begun = sum([each.begun for each in self._runners])
        # After that: what a thread begins with meanwhile counts once too little, and never once too much.
        in_hand = [each for each in self._runners if each.current is not None and not each.thread.is_current]
        return begun - len(in_hand)

    def begin_close_subscription(self, *seconds: float) -> None:
        """Let a subscription that takes its time to close begin with it: several do so side by side."""
        if isinstance(self.subscription, ClosesSlowly):
            self.subscription.begin_close(*seconds)

    def close_subscription(self) -> None:
        """Commit what is settled and leave."""
        if self.subscription is not None:
            self.subscription.close()

    def _halt(self, message: Message) -> None:
        error = message.failures[0].error
        halted = HaltedError(
            f"handler {self.handler.name!r} halts at {message!r}, which nobody can take: {text_of_error(error)}"
        )
        halted.__cause__ = error
        self._fail(halted)

    def assigned(self, assignments: Sequence[Assignment]) -> None:
        """Tell the assignments whose they are; see `AssignmentListener`."""
        handler = self.handler
        subscriber = type(handler.subscriber).__name__
        for assignment in assignments:
            assignment.scope = self._scope
            assignment.route = Route(
                handler.name,
                handler.topic,
                subscriber,
                handler.publish_topic,
                sink=self.sink,
                halt=self._halt,
                workers=self._workers,
                mistakes=self._mistakes,
            )
        logger.bind(handler=handler.name, partitions=[a.partition for a in assignments]).info("partitions assigned")

    def revoked(self, assignments: Sequence[Assignment], deadline: float) -> None:
        """Wait for the chains on *assignments*, then ask everybody to flush; see `AssignmentListener`."""
        self._scope.notify()
        gone = list(assignments)
        for runner in self._runners:
            runner.discard(gone)
        pause = threading.Event()
        while any(runner.current in gone for runner in self._runners) and MONOTONIC.now() < deadline:
            pause.wait(LOOK_AGAIN_SECONDS)
        for worker in self._all_workers():
            worker.seal(gone, deadline)
        logger.bind(handler=self.handler.name, partitions=[a.partition for a in gone]).info("partitions revoked")

    def lost(self, assignments: Sequence[Assignment]) -> None:
        """Tell everybody to drop what belongs to *assignments*; see `AssignmentListener`."""
        self._scope.notify()
        for runner in self._runners:
            runner.discard(list(assignments))
        for worker in self._all_workers():
            worker.abandon(assignments)
        partitions = [assignment.partition for assignment in assignments]
        logger.warning("partitions lost: {partitions} of {handler}", partitions=partitions, handler=self.handler.name)

    def _all_workers(self) -> list[Worker]:
        return [*self._workers] if self.sink_worker is None else [*self._workers, self.sink_worker]


def _by_assignment(message: Message) -> Hashable:
    return message.assignment


def _by_key(message: Message) -> Hashable:
    return message.assignment if message.key is None else (message.assignment, message.key)
