"""Whether poison records could be written, asked at the start: the first one may come months later, and then stop intake."""

from __future__ import annotations

from collections.abc import Sequence

from loguru import logger

from ..errors import ConfigurationError, TransientError
from ..poison.choices import LooksAhead, PoisonTopic
from .clashes import readers_of_poison
from .handler import Handler


def look_ahead(handlers: Sequence[Handler]) -> None:
    """Ask the poison sinks of *handlers*, those of one router. Where nobody answers a warning says so, and the start goes on.

    Raises:
        ConfigurationError: no record of a handler could be written, such as to a topic that does not exist; says what to do.
    """
    silent: list[object] = []
    for handler in handlers:
        sink = handler.poison
        publisher = sink.publisher if isinstance(sink, PoisonTopic) else None
        is_known = any(publisher is each for each in silent) or bool(readers_of_poison(handler, handlers))
        if is_known or not isinstance(sink, LooksAhead):
            continue
        try:
            sink.look_ahead()
        except ConfigurationError as error:
            raise ConfigurationError(f"poison sink of handler {handler.name!r}: {error}") from error
        except TransientError as error:
            silent.append(publisher)
            text = "poison sink of handler {handler!r} not found before the start: {reason}"
            logger.warning(text, handler=handler.name, reason=str(error))
