"""How a process that runs a router ends."""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import Cancelled, HaltedError, MillstreamError, RecoveredPanicError, StateError, UndrainedError
from .foreign_calls import leave_if_calling


class ExitCode(enum.IntEnum):
    """The exit codes of every command.

    Example:
        >>> int(ExitCode.HALTED), ExitCode(3).name
        (4, 'POISONED')
    """

    CLEAN = 0
    BUG = 1
    USAGE = 2
    """Wrong usage or configuration; nothing was done."""
    POISONED = 3
    """Done, but something was set aside in the poison sink."""
    HALTED = 4
    """A policy stopped the work."""
    UNDRAINED = 5
    """Closed before everything was flushed: safe, it will be delivered again."""

    @classmethod
    def of(cls, error: BaseException) -> ExitCode:
        """Return how a process ends that *error* has ended."""
        if isinstance(error, HaltedError):
            return cls.HALTED
        if isinstance(error, UndrainedError | Cancelled):
            return cls.UNDRAINED
        if isinstance(error, MillstreamError) and not isinstance(error, StateError | RecoveredPanicError):
            return cls.USAGE
        return cls.BUG


def is_bug(error: BaseException) -> bool:
    """Tell whether *error* is for a developer, who needs its traceback; any other one says by itself what to do."""
    return ExitCode.of(error) is ExitCode.BUG


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process with one line on stderr and the exit code where an error of ours, not a bug, comes out of the block.

    For programs: `with exit_on_error(): router.run()`. It keeps the exit code, also that of a second signal, where an embedded
    engine is still in the middle of an INSERT.
    """
    try:
        yield
    except (MillstreamError, Cancelled) as error:
        if is_bug(error):
            raise
        reason, code = str(error) or type(error).__name__, ExitCode.of(error)
    except SystemExit as ended:
        leave_if_calling(ended.code if isinstance(ended.code, int) else ExitCode.BUG)
        raise
    else:
        return
    sys.stderr.write(f"{reason}\n")
    leave_if_calling(code)
    raise SystemExit(int(code))
