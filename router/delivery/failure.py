"""Why a message is poisoned."""

from __future__ import annotations


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
        errors: list[BaseException | None] = [self.error]
        known: set[int] = set()
        while errors:
            error = errors.pop()
            if error is None or id(error) in known:
                continue
            known.add(id(error))
            error.__traceback__ = None
            errors += [error.__cause__, error.__context__]
            if isinstance(error, BaseExceptionGroup):
                errors += error.exceptions
