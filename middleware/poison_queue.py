"""Setting a message aside that its handler cannot handle."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from millstream.router import HandlerFunc, Message, PermanentError
from millstream.router.delivery.message import PoisonSink
from millstream.router.delivery.mistakes import tell_mistake
from millstream.router.errors import is_about_us

from .options import ERROR, require_function


class PoisonQueue:
    """Give a message whose handler raises to the poison sink of that handler, and go on with the next.

    The sink is the one that was named where the handler was added (`poison=…`); the router refuses to start without one. It takes
    the message over at once and writes the record on its own thread; the message is committed when that record is safe. Whatever
    else holds the message need not finish with it.

    Passed on instead: being cancelled; `HaltedError`, `StateError` and `ConfigurationError`, which no message is to blame for and
    which stop the router; what the filter declines, for the router to deliver again for as long as it takes; the error of a
    message that no router delivered; and, while the router closes or the partition is revoked, every error that is not permanent,
    as the closing may have caused it: the message stays uncommitted and is delivered again.

    Args:
        filter: says of an error whether the message goes to the sink; by default every one does.

    Raises:
        ConfigurationError: *filter* is no function of an error, such as the class of one.

    Example:
        >>> router = Router()
        >>> router.add_middleware(PoisonQueue(filter=lambda error: isinstance(error, ValueError)))
        >>> router.add_consumer_handler("printer", "orders", InMemoryPubSub(), print, poison="drop")
        <Handler 'printer' on 'orders'>
    """

    needs_poison_sink = True
    """Makes the router check at its start that each handler inside has a sink."""
    judges_errors = True
    """Tells the router that what passes is not for the sink, however often the message comes again."""

    passes_success = True
    """Tells the router that a message whose handler succeeds need not come by here; see `Middleware`."""

    def __init__(self, *, filter: Callable[[Exception], bool] | None = None) -> None:  # noqa: A002 - what it is
        require_function("filter", filter, ERROR)
        self._filter = filter
        self.takes_every_error = filter is None
        """Lets the router warn at its start of a `Retry` outside: that would never see one."""

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*."""

        def poisoning(message: Message) -> Sequence[Message] | None:
            try:
                return next_handler(message)
            except Exception as error:
                sink = self._sink_for(message, error)
                if sink is None:
                    raise
                tell_mistake(message, error)  # before the sink has it, which forgets the traceback
                sink.take(message, error)
                return None

        return poisoning

    def _sink_for(self, message: Message, error: Exception) -> PoisonSink | None:
        assignment = message.assignment
        if is_about_us(error) or assignment is None or assignment.route is None:
            return None
        if (assignment.is_closing or assignment.scope.is_closing) and not isinstance(error, PermanentError):
            return None
        if self._filter is not None and not self._filter(error):
            return None
        return assignment.route.sink
