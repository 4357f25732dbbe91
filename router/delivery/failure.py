"""Why a message is poisoned."""

from __future__ import annotations

from ..tracebacks import forget_traceback


class Failure:
    """One owner's (or the chain's) word that it cannot do its part."""

    __slots__ = ("error", "owner", "part")

    def __init__(self, error: BaseException, owner: object = None, part: int = 0) -> None:
        self.error = error
        self.owner = owner
        self.part = part

    def forget_traceback(self) -> None:
        """Let go of the frames behind the error. They lead back to the message, which the garbage collector does not look
        into: kept, neither would ever be freed."""
        forget_traceback(self.error)
