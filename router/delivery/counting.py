"""What whoever sets messages aside is told of, to see whether there are too many: a storm."""

from __future__ import annotations

from typing import Protocol


class Counting(Protocol):
    """Counts what was done and what has failed. From any thread."""

    @property
    def is_halted(self) -> bool:
        """Whether the sink takes nothing more, as the router halts."""
        ...

    def count_done(self, owner: object, count: int) -> None:
        """*owner* has done its part of *count* messages: what it fails is judged by these. Once per batch, not per message."""
        ...

    def count_begun(self, more: int) -> None:
        """The message in the chain brings *more* things than one."""
        ...

    def count_failed(self, owner: object, error: BaseException) -> None:
        """*owner* (`None`: the chain) has failed another part of a message that has failed before, and has its one record."""
        ...
