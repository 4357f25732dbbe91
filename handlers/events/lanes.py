"""A lane: one topic of events with its own group, poison topic, throttle and batcher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Protocol, get_args

import msgspec
from loguru import logger

from millstream.handlers.batching import MessageBatcher
from millstream.handlers.batching.unheld import add_run_unheld
from millstream.middleware import Throttle
from millstream.router import (
    ConfigurationError,
    Handler,
    HandlerFunc,
    Message,
    PoisonTopic,
    Publisher,
    Router,
    Subscriber,
)
from millstream.router.callables import described
from millstream.router.delivery.run import MessageRun
from millstream.router.poison import Poison, choice_named
from millstream.router.protocols import InGroup, Prepare
from millstream.router.running.clashes import meet
from millstream.router.typed_fields import require_types

from .ahead import DecodeAhead
from .event import Event
from .post_processing import PostProcessor

Delivery = Literal["at_least_once", "at_most_once"]
BURST_SECONDS = 0.01
"""Above 100 messages/s a throttle lets so many seconds' worth through at once: what goes in one piece of a run, which costs some
60 µs; and a wait overshoots by some 0.05 ms."""


class LaneConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one lane; the names are those of the original.

    Args:
        enabled: whether it is consumed; one that is not is left out by whatever registers it.
        topic: where its events come from.
        consumer_group: the group it is read with: that of its subscriber, or nothing is registered.
        topic_dlq: what becomes of messages that cannot be handled: a topic that they go to, or `"halt"`, its other name `"none"`,
            `"drop"` or `"redeliver"`, see `PoisonChoice`. There is no silent default. A topic that is called like one of these
            is given where the lane is registered, with `poison=PoisonTopic(publisher, "halt")`.
        rate_limit: messages a second, `None` for no limit.
        concurrency: threads that decode and batch; order is kept per message key.
        delivery: `"at_least_once"`: a message is committed once its row is stored, or its poison record written.
            `"at_most_once"`, the original's way: once it is in a batch. Lost is then what is not stored when the process is
            killed, crashes, halts (exit code 4), ends while its store is away (5) or by a second signal: up to
            `batch.max_pending_bytes`, with the poison records of rows that the store refused and that are not written. While
            it runs nothing is: a batch is tried again as ever, refused rows go to the poison sink, and what is in a batch is
            stored also when its partition has gone. Events that no decoder takes are committed as ever. After a crash what
            was handled since the last commit, a second ago, comes again and may be there twice, as with the original.

    Example:
        >>> lane = LaneConfig(topic="events", consumer_group="billing", topic_dlq="events-dlq", rate_limit=1000.0)
        >>> lane.enabled, lane.concurrency, lane.delivery
        (True, 1, 'at_least_once')
    """

    enabled: bool = True
    topic: str
    consumer_group: str
    topic_dlq: str
    rate_limit: float | None = None
    concurrency: int = 1
    delivery: Delivery = "at_least_once"

    @property
    def poison_topic(self) -> str | None:
        """The topic that `topic_dlq` names; `None`: it says what becomes of the messages instead."""
        return self.topic_dlq if choice_named(self.topic_dlq) is None else None

    def __post_init__(self) -> None:
        require_types(self)
        for name in ("topic", "consumer_group"):
            if not getattr(self, name):
                raise ConfigurationError(f"{name} must not be empty")
        if not self.topic_dlq:
            raise ConfigurationError(
                "topic_dlq must be chosen: a topic, 'none' (halt at a message that cannot be handled), 'drop' or 'redeliver'"
            )
        if self.rate_limit is not None and not self.rate_limit > 0:
            raise ConfigurationError(
                f"rate_limit must be more than 0 messages/s, not {self.rate_limit:g}; leave it out for no limit"
            )
        if self.concurrency < 1:
            raise ConfigurationError(f"concurrency must be at least 1, not {self.concurrency}")
        if self.delivery not in get_args(Delivery):
            raise ConfigurationError(f"delivery must be 'at_least_once' or 'at_most_once', not {self.delivery!r}")


REGULAR = LaneConfig(topic="events", consumer_group="v1_event_processing", topic_dlq="event_processing_dlq")
LAZY = LaneConfig(topic="events_lazy", consumer_group="v1_event_processing_lazy", topic_dlq="event_processing_lazy_dlq")
REPLAY = LaneConfig(
    enabled=False,
    topic="events_backfill",
    consumer_group="v1_event_processing_replay",
    topic_dlq="staging_events_dlq",
)

BULK = LaneConfig(
    enabled=False,
    topic="staging_events_bulk",
    consumer_group="v1_bulk_event_consumption",
    topic_dlq="staging_events_bulk_dlq",
)


UnheldFunc = Callable[[MessageBatcher, Message], None]
"""Parses a message and hands what it brings to a batcher, which does not hold it."""


class DecodeMany(Protocol):
    """Parses payloads, one event each; `None`: one of them may be odd."""

    def __call__(self, payloads: Sequence[bytes], *, keeps_events: bool = ...) -> Sequence[Event] | None:
        """With *keeps_events* the events are made once, else again whenever somebody looks at one."""
        ...


class Lane:
    """One lane of a service; its settings come when it is attached to a router.

    Args:
        handler: what its handler is called.
        function: takes each message: parses it and hands it to *batcher*.
        batcher: flushes what *function* has added; its rank says how it stands to other lanes.
        unheld: does what *function* does, but so that nothing holds the message: with `delivery="at_most_once"`.
        default: its settings where none are given; whoever registers it so wants it, enabled or not.
        told: what publishes the events that the lane has stored.
        decode: parses many payloads of one event each as *function* would, or returns `None`; without it all go one by one.
    """

    def __init__(
        self,
        handler: str,
        function: HandlerFunc,
        batcher: MessageBatcher,
        unheld: UnheldFunc,
        default: LaneConfig,
        told: PostProcessor | None = None,
        decode: DecodeMany | None = None,
    ) -> None:
        self.handler = handler
        self.function = function
        self.batcher = batcher
        self._unheld = unheld
        self._default = default
        self._told = told
        self._decode = decode

    def attach(
        self,
        router: Router,
        subscriber: Subscriber,
        given: LaneConfig | None,
        *,
        poison: Poison | None,
        publisher: Publisher | None,
    ) -> Handler | None:
        """Consume the lane on *router*, which starts and drains the batcher; see `EventConsumptionService.register_handler`."""
        if not isinstance(router, Router):
            raise ConfigurationError(
                f"{self.handler}: router is {described(router)}: pass a Router; the order is (router, subscriber)"
            )
        if given is not None and not isinstance(given, LaneConfig):
            raise ConfigurationError(f"{self.handler}: lane is {described(given)}: pass LaneConfig(…)")
        group = subscriber.group_id if isinstance(subscriber, InGroup) else None
        if given is None:
            return self._attach(router, subscriber, self._default, group, poison, publisher)
        if not given.enabled:
            logger.bind(handler=self.handler, topic=given.topic).info("not registered: the lane is not enabled")
            return None
        if group is not None and group != given.consumer_group:
            raise ConfigurationError(
                f"{self.handler}: the lane's consumer_group is {given.consumer_group!r}, but its subscriber is in the group"
                f" {group!r}: open it with settings.kafka.subscriber_config(lane.consumer_group)"
            )
        return self._attach(router, subscriber, given, group or given.consumer_group, poison, publisher)

    def _attach(
        self,
        router: Router,
        subscriber: Subscriber,
        config: LaneConfig,
        group: str | None,
        poison: Poison | None,
        publisher: Publisher | None,
    ) -> Handler:
        self._refuse_circle(config, subscriber)
        sink = self._choose_sink(config, publisher) if poison is None else poison
        function, prepare = self._function_for(config)
        handler = router.add_consumer_handler(
            self.handler, config.topic, subscriber, function, poison=sink, concurrency=config.concurrency
        )
        handler.prepare = prepare
        if config.rate_limit is not None:
            handler.add_middleware(Throttle(config.rate_limit, burst=max(1, round(config.rate_limit * BURST_SECONDS))))
        if self._decode is not None:
            handler.take_runs(self._take_run if config.delivery == "at_least_once" else self._take_run_unheld)
        router.add_worker(self.batcher)
        batching = self.batcher.config
        logger.bind(
            handler=self.handler,
            topic=config.topic,
            group=group,
            poison=config.topic_dlq if poison is None else repr(poison),
            batch_size=batching.batch_size,
            flush_interval=batching.flush_interval,
            max_retries=batching.max_retries,
            delivery=config.delivery,
        ).info("registered batching event consumption handler")
        return handler

    def _function_for(self, config: LaneConfig) -> tuple[HandlerFunc, Prepare | None]:
        if config.delivery == "at_most_once":
            return self._process_unheld, None
        if self._decode is None:
            return self.function, None
        ahead = DecodeAhead(self.function, partial(self._decode, keeps_events=True), self.batcher)
        return ahead, ahead.prepare

    def _take_run(self, run: MessageRun) -> bool:
        items = None if self._decode is None else self._decode(run.payloads)
        if items is not None:
            self.batcher.add_run(run, items)
        return items is not None

    def _take_run_unheld(self, run: MessageRun) -> bool:
        items = None if self._decode is None else self._decode(run.payloads)
        if items is not None:
            add_run_unheld(self.batcher, run, items)
        return items is not None

    def _process_unheld(self, message: Message) -> None:
        self._unheld(self.batcher, message)

    def _refuse_circle(self, config: LaneConfig, subscriber: Subscriber) -> None:
        told = self._told
        if told is not None and told.topic == config.topic and meet(told.publisher, subscriber):
            raise ConfigurationError(
                f"{self.handler}: post-processing goes to topic {told.topic!r}, which it reads: each event would be stored again"
                " for ever; give post-processing a topic of its own"
            )

    def _choose_sink(self, config: LaneConfig, publisher: Publisher | None) -> Poison:
        choice = choice_named(config.topic_dlq)
        if choice is not None:
            return choice
        if publisher is None:
            raise ConfigurationError(
                f"{self.handler}: topic_dlq is the topic {config.topic_dlq!r}, but nothing can publish to it: "
                "pass publisher=…, or poison=…"
            )
        return PoisonTopic(publisher, config.topic_dlq)
