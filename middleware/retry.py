"""Trying a failed message again, on the spot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import random as uniform

from loguru import logger

from millstream.router import HandlerFunc, Message, PermanentError
from millstream.router.delivery.content import Content, put_back
from millstream.router.delivery.mistakes import tell_mistake
from millstream.router.errors import is_about_us, text_of

from .backoff import Backoff, RetrySchedule
from .options import ERROR, require_between, require_function

NOTHING: Mapping[str, str] = {}
"""What most messages have for metadata."""
RetryPredicate = Callable[[Exception], bool]
"""Says of an error whether trying again makes sense."""
RetryHook = Callable[[int, Exception, float], None]
"""Told before each wait: the number of the attempt that failed, from 1; its error; the seconds that will be waited."""
ExhaustedHook = Callable[[Message, Exception, int], None]
"""Told when the retries are used up: the message, the last error, the number of attempts."""


class Retry:
    """Call the handler again when it raises, after a wait that grows; past the last retry the last error passes on.

    Never retried: `PermanentError`; `HaltedError`, `StateError` and `ConfigurationError`, which stop the router; and `Cancelled`.
    The wait stops the handler's thread, so messages keep their order; it ends at once, with `Cancelled`, when the router closes
    or the partition is revoked: then the message is neither acked nor poisoned. Each attempt starts from the payload, uuid, key
    and metadata that the first one had, whatever was put into their place or changed in the metadata.

    Once a message is given up, `message.context.values["attempts"]` is its number of attempts, for the poison record.

    One instance may serve any number of handlers and threads.

    Args:
        max_retries: attempts after the first, so 3 is four attempts in all; 0 is none, `None` any number.
        initial_interval: seconds before the first retry.
        max_interval: seconds that a wait grows to at most, before jitter.
        multiplier: what each wait is longer than the one before.
        jitter: how far a wait is varied at random, as a part of it: with 0.5 and a `max_interval` of 10 one lasts up to 15 s.
        max_elapsed: seconds after the beginning of the first attempt past which none begins. Past the deadline of the message's
            context none begins either.
        retry_if: asked of every error that may be retried; by default all are.
        on_retry: called before each wait.
        on_exhausted: called when the retries are used up, not for an error that is not retried.
        random: returns a number from 0 to 1 for the jitter.

    Raises:
        ConfigurationError: an option is out of its range, or nothing that can be called so.

    Example:
        >>> answers = [ValueError("not yet"), None]
        >>> def handle(message):
        ...     if error := answers.pop(0):
        ...         raise error
        ...     print("handled")
        >>> Retry(max_retries=1, initial_interval=0.001)(handle)(Message(b"payload"))
        handled
    """

    retries_errors = True
    """Lets the router warn at its start where nothing inside lets an error out to it."""

    passes_success = True
    """Tells the router that a message whose handler succeeds need not come by here; see `Middleware`."""

    def __init__(
        self,
        *,
        max_retries: int | None = 3,
        initial_interval: float = 1.0,
        max_interval: float = 10.0,
        multiplier: float = 2.0,
        jitter: float = 0.5,
        max_elapsed: float | None = None,
        retry_if: RetryPredicate | None = None,
        on_retry: RetryHook | None = None,
        on_exhausted: ExhaustedHook | None = None,
        random: Callable[[], float] = uniform,
    ) -> None:
        if max_retries is not None:
            require_between("max_retries", max_retries, 0)
        if max_elapsed is not None:
            require_between("max_elapsed", max_elapsed, 0)
        require_function("retry_if", retry_if, ERROR)
        require_function("on_retry", on_retry, "(attempt, error, seconds)")
        require_function("on_exhausted", on_exhausted, "(message, error, attempts)")
        self._make_backoff = partial(
            Backoff,
            initial_interval=initial_interval,
            max_interval=max_interval,
            multiplier=multiplier,
            jitter=jitter,
            random=random,
        )
        self._make_backoff()  # a wrong option is told here, not at the first failure
        self._max_retries = max_retries
        self._max_elapsed = max_elapsed
        self._retry_if = retry_if
        self._on_retry = on_retry
        self._on_exhausted = on_exhausted

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*."""
        max_elapsed = self._max_elapsed

        def retrying(message: Message) -> Sequence[Message] | None:
            # Only a time limit is worth reading the clock, which makes the message's context, before anything has failed.
            give_up_at = None if max_elapsed is None else message.context.clock.now() + max_elapsed
            payload = message.payload
            # What is not read yet is kept where it is read: to read it here would cost each message more than all the rest.
            if is_read := message.unread is None:
                uuid, key, metadata = message.uuid, message.key, message.metadata
                entries = metadata.copy() if metadata else NOTHING
            try:
                return next_handler(message)
            except Exception as error:  # noqa: BLE001 - what a handler may raise is its own affair
                start = Content(payload, uuid, key, metadata, entries) if is_read else message.delivered
                return self._retry(next_handler, message, start._replace(payload=payload), error, give_up_at)

        return retrying

    def _retry(
        self, handler: HandlerFunc, message: Message, start: Content, error: Exception, give_up_at: float | None
    ) -> Sequence[Message] | None:
        context = message.context
        schedule = RetrySchedule(
            self._make_backoff(), max_retries=self._max_retries, give_up_at=_earlier(give_up_at, context.deadline)
        )
        try:
            while True:
                schedule.count_failure()
                delay = self._next_delay(message, error, schedule)
                if delay is None:
                    # The record is of the message as it came. Of its payload the router knows by itself, and which it was.
                    put_back(message, start._replace(payload=message.payload))
                    raise error
                context.wait(delay)
                put_back(message, start)
                try:
                    return handler(message)
                except Exception as later:  # noqa: BLE001 - as above
                    error = later
        finally:
            del error  # or its traceback, this frame and the message stay a cycle until a collection

    def _next_delay(self, message: Message, error: Exception, schedule: RetrySchedule) -> float | None:
        """Return the seconds to wait, or `None` when *error* is the last word; tell the hooks."""
        tell_mistake(message, error)
        attempts = schedule.attempts
        is_retried = self._is_retried(error)
        delay = schedule.next_delay(message.context.clock.now()) if is_retried else None
        if delay is None:
            message.context.values["attempts"] = attempts
            if is_retried and self._on_exhausted is not None:
                self._on_exhausted(message, error, attempts)
            return None
        if self._on_retry is not None:
            self._on_retry(attempts, error, delay)
        log = logger.bind(attempt=attempts, seconds=round(delay, 3))
        text = "message not handled, it will be tried again: {error}; {message}"
        log.warning(text, error=text_of(error, repr), message=repr(message))
        return delay

    def _is_retried(self, error: Exception) -> bool:
        if isinstance(error, PermanentError) or is_about_us(error):
            return False
        return self._retry_if is None or self._retry_if(error)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
