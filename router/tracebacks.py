"""Letting go of what an error has seen."""

from __future__ import annotations

import traceback


def forget_traceback(error: BaseException) -> None:
    """Let go of the frames behind *error* and behind what led to it, for whoever keeps it or will try again.

    A frame often refers to an error that left it, as urllib3's do by the history of their attempts. Such a circle, and with it
    all that its frames had in hand, such as the body of an INSERT, stays until the cyclic garbage collector looks, which counts
    objects, not bytes: an outage with batches of 2,000 rows took 5 to 9 MB/s. So frames that have ended lose their variables.
    """
    errors: list[BaseException | None] = [error]
    known: set[int] = set()
    while errors:
        each = errors.pop()
        if each is None or id(each) in known:
            continue
        known.add(id(each))
        traceback.clear_frames(each.__traceback__)
        each.__traceback__ = None
        errors += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            errors += each.exceptions
