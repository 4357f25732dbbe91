"""A message that brings several things, of which some may fail alone: what its poison record then holds.

Each thing is a part with a hold of its own. Who handles them says so with `Delivery.divide`, once all their holds are taken:
before that a failure is one of the whole message, as what nobody holds yet is neither stored nor named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from ..errors import text_of_error
from .failure import Failure

MAX_TOLD = 20
"""Parts whose reason is told one by one: a record's metadata has to stay far below what a topic takes."""
MAX_REASON_CHARACTERS = 300
"""Of each of several reasons."""


class Excerpt(msgspec.Struct, frozen=True):
    """What a poison record holds instead of the whole message.

    Args:
        payload: the failed parts, in the form of the message, so that it can be sent again.
        metadata: entries that the record has instead of the message's own.
    """

    payload: bytes
    metadata: dict[str, str]


class Divisible(Protocol):
    """The content of a message, as who handles its parts knows it. Must not refer to the message."""

    def excerpt(self, parts: Sequence[int], /) -> Excerpt | None:
        """Return what a record of *parts* holds, in their order; `None`: the whole message. Called on the sink's thread."""
        ...


class Division:
    """Who has taken a message apart, and the content that it came from.

    Args:
        owner: who holds the parts, and fails them.
        content: makes the excerpt.
    """

    __slots__ = ("content", "owner")

    def __init__(self, owner: object, content: Divisible) -> None:
        self.owner = owner
        self.content = content

    def failed(self, failures: Sequence[Failure]) -> dict[int, BaseException]:
        """Return the error of each part that has failed, in their order; empty where the message has failed as a whole."""
        if any(failure.owner is not self.owner for failure in failures):
            return {}
        return {failure.part: failure.error for failure in sorted(failures, key=lambda failure: failure.part)}


def text_of_parts(errors: Mapping[int, BaseException]) -> str:
    """Say in one line which parts failed, and why."""
    told = [f"part {part}: {text_of_error(errors[part])[:MAX_REASON_CHARACTERS]}" for part in list(errors)[:MAX_TOLD]]
    rest = len(errors) - len(told)
    return "; ".join(told) + (f"; and {rest} more" if rest else "")
