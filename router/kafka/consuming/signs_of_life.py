"""What records say about the brokers that sent them."""

from __future__ import annotations

from ..connection import ConnectionWatch


class SignsOfLife:
    """Takes records as a sign of life, in an outage only once nothing can be left that was fetched before it.

    Args:
        watch: told when brokers are there.
    """

    def __init__(self, watch: ConnectionWatch) -> None:
        self._watch = watch
        self._is_dry = False
        """Whether a poll has found nothing since the outage began."""

    def look(self, *, has_messages: bool) -> None:
        """Take note of what a poll has found."""
        if self._watch.is_in_contact:
            self._is_dry = False
        elif not has_messages:
            self._is_dry = True
        elif self._is_dry or not self._watch.outage:
            self._watch.on_contact()
