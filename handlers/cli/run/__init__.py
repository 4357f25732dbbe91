"""`millstream run`: the lanes, or a router of the user's own, for as long as it is wanted."""

from .command import run

__all__ = ["run"]
