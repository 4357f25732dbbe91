"""Making an error of what no `except Exception` sees."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from millstream.router import Cancelled, HandlerFunc, Message, RecoveredPanicError

SIGNALS = (Cancelled, KeyboardInterrupt, SystemExit, GeneratorExit)
"""What derives from `BaseException` because it is meant to pass: somebody calls the work off or ends the process."""


class Recoverer:
    """Turn whatever else than an `Exception` a handler raises into a `RecoveredPanicError`.

    Such as the panic of a library written in Rust or a stray `asyncio.CancelledError`: without this it would go past retry and
    poison sink, and end the thread. Place it innermost, as `FailurePolicy` does. `Cancelled`, `KeyboardInterrupt`, `SystemExit`
    and `GeneratorExit` pass unchanged.

    Example:
        >>> import asyncio
        >>> def give_up(message):
        ...     raise asyncio.CancelledError  # which `except Exception` does not see
        >>> Recoverer()(give_up)(Message(b"payload"))
        Traceback (most recent call last):
        millstream.router.errors.RecoveredPanicError: ...
    """

    passes_success = True
    """Tells the router that a message whose handler succeeds need not come by here; see `Middleware`."""

    def __call__(self, next_handler: HandlerFunc) -> HandlerFunc:
        """Wrap *next_handler*."""

        def recovering(message: Message) -> Sequence[Message] | None:
            try:
                return next_handler(message)
            except (Exception, *SIGNALS):
                raise
            except BaseException as panic:
                raise RecoveredPanicError(panic, "".join(traceback.format_exception(panic))) from panic

        return recovering
