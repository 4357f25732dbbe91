"""Letting go of what an error has seen."""

from __future__ import annotations

import contextlib
import inspect
import opcode
from types import FrameType, TracebackType

_CAN_WAIT = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_YIELD = opcode.opmap["YIELD_VALUE"]


def forget_traceback(error: BaseException) -> None:
    """Let go of the frames behind *error* and behind what led to it, for whoever keeps it or will try again.

    A frame often refers to an error that left it, as urllib3's do by the history of their attempts. Such a circle, and with it
    all that its frames had in hand, such as the body of an INSERT, stays until the cyclic garbage collector looks, which counts
    objects, not bytes: an outage with batches of 2,000 rows took 5 to 9 MB/s. So frames that have ended lose their variables. One
    that waits at a `yield` or an `await` is left alone: it has handed the error out, and goes on.
    """
    errors: list[BaseException | None] = [error]
    known: set[int] = set()
    while errors:
        each = errors.pop()
        if each is None or id(each) in known:
            continue
        known.add(id(each))
        _clear_frames(each.__traceback__)
        each.__traceback__ = None
        errors += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            errors += each.exceptions


def _clear_frames(traceback: TracebackType | None) -> None:
    while traceback is not None:
        if not _waits(traceback.tb_frame):
            with contextlib.suppress(RuntimeError):  # it still runs
                traceback.tb_frame.clear()
        traceback = traceback.tb_next


def _waits(frame: FrameType) -> bool:
    """Whether *frame* may be that of a generator or a coroutine that waits: before Python 3.13 clearing it would close that."""
    code = frame.f_code
    return bool(code.co_flags & _CAN_WAIT) and code.co_code[frame.f_lasti] == _YIELD
