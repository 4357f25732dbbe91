"""What becomes of a handler's errors, in the one order that works."""

from __future__ import annotations

from millstream.router import HandlerFunc
from millstream.router.callables import require_instance

from .options import require_flag
from .poison_queue import PoisonQueue
from .recoverer import Recoverer
from .retry import Retry

DEFAULT_RETRY = Retry()


class FailurePolicy:
    """Recover, then retry, then poison: `PoisonQueue(Retry(Recoverer(handler)))` as one middleware.

    In this order a panic is retried like an error, and only what no retry could mend is set aside. In others, such as the
    recoverer outermost, a panic goes past both.

    Args:
        retry: how errors are retried; `None`: not at all.
        poison: whether what is left goes to the handler's poison sink; otherwise the message is delivered again, for as long as
            it takes.
        recover: whether panics count as errors; otherwise one ends the handler's thread, and with it the router.

    Raises:
        ConfigurationError: an option is nothing of this kind, such as the class `Retry`.

    Example:
        >>> router = Router()
        >>> router.add_middleware(FailurePolicy(retry=Retry(max_retries=3, initial_interval=0.1)))
        >>> router.add_consumer_handler("printer", "orders", InMemoryPubSub(), print, poison=PoisonFile("poison.ndjson"))
        <Handler 'printer' on 'orders'>
    """

    judges_errors = True
    """As that of `PoisonQueue`: what it passes on is not for the sink."""

    passes_success = True
    """Tells the router that a message whose handler succeeds need not come by here; see `Middleware`."""

    def __init__(self, *, retry: Retry | None = DEFAULT_RETRY, poison: bool = True, recover: bool = True) -> None:
        if retry is not None:
            require_instance("FailurePolicy(retry)", retry, Retry, "Retry(…), or None for no retries")
        require_flag("FailurePolicy(poison)", poison, "; the sink is named where the handler is added, poison=…")
        require_flag("FailurePolicy(recover)", recover)
        self.needs_poison_sink = poison
        self._retry = retry
        self._recover = recover

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*."""
        if self._recover:
            next_handler = Recoverer()(next_handler)
        if self._retry is not None:
            next_handler = self._retry(next_handler)
        if self.needs_poison_sink:
            next_handler = PoisonQueue()(next_handler)
        return next_handler
