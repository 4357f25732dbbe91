"""What two registrations would do to each other, seen before anything runs: each is right by itself."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from loguru import logger

from ..errors import ConfigurationError
from ..poison.choices import PoisonTopic
from ..protocols import InGroup, Located
from .handler import Handler


def refuse_clashes(handlers: Sequence[Handler]) -> None:
    """Look at *handlers*, those of one router, together.

    Raises:
        ConfigurationError: poisoned messages would come back for ever, or two handlers take each other's messages.
    """
    for handler in handlers:
        _refuse_poison_circle(handler, handlers)
        if handler.publish_topic == handler.topic and meet(handler.publisher, handler.subscriber):
            logger.bind(handler=handler.name, topic=handler.topic).warning(
                "handler {!r} publishes to the topic that it reads: what it returns comes to it again", handler.name
            )
    for one, other in itertools.combinations(handlers, 2):
        _refuse_rivals(one, other)


def _refuse_poison_circle(handler: Handler, handlers: Sequence[Handler]) -> None:
    reached, ahead = [], [handler]
    while ahead:
        poisoner = ahead.pop()
        for reader in readers_of_poison(poisoner, handlers):
            if reader is handler:
                raise ConfigurationError(
                    f"the poison topic of handler {poisoner.name!r} is {handler.topic!r}, which handler {handler.name!r} "
                    "reads, whose poisoned messages come back there for ever; give the poison topic a name of its own"
                )
            if reader not in reached:
                reached.append(reader)
                ahead.append(reader)


def readers_of_poison(handler: Handler, handlers: Sequence[Handler]) -> list[Handler]:
    """Return those of *handlers* that read what *handler* poisons, as far as they tell."""
    choice = handler.poison
    if not isinstance(choice, PoisonTopic):
        return []
    return [each for each in handlers if each.topic == choice.topic and meet(choice.publisher, each.subscriber)]


def _refuse_rivals(one: Handler, other: Handler) -> None:
    if one.topic != other.topic or not meet(one.subscriber, other.subscriber):
        return
    group = _group_of(one.subscriber)
    if group is not None and group == _group_of(other.subscriber):
        raise ConfigurationError(
            f"handlers {one.name!r} and {other.name!r} both read topic {one.topic!r} in group {group!r}, where each message goes "
            "to one of them only: give each a group of its own, or one handler concurrency=2"
        )


def meet(one: object, other: object) -> bool:
    """Whether *one* and *other* speak of the same topics, as far as they tell."""
    if not isinstance(one, Located) or not isinstance(other, Located):
        return False
    return not frozenset(one.places).isdisjoint(other.places)


def _group_of(subscriber: object) -> str | None:
    return subscriber.group_id if isinstance(subscriber, InGroup) else None
