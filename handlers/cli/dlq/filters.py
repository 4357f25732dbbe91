"""Which poison records are meant."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from millstream.router import ConfigurationError

from .grouping import masked
from .records import PoisonRecord


class Filter(msgspec.Struct, frozen=True):
    """Every condition that is given has to hold.

    Args:
        reason: is contained in the reason, or in what `dlq list` shows of it.
        handler: who has set it aside.
        since, until: from when, and before when it was set aside; a record without a time is in no span.
        uuid: of the message.

    Raises:
        ConfigurationError: it begins when it is over.
    """

    reason: str | None = None
    handler: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    uuid: str | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ConfigurationError("--since is not before --until: nothing is between them")

    def matches(self, record: PoisonRecord) -> bool:
        """Return whether *record* is meant."""
        if self.uuid is not None and record.message.uuid != self.uuid:
            return False
        if self.handler is not None and record.handler != self.handler:
            return False
        if self.reason is not None and self.reason not in record.reason and self.reason not in masked(record.reason):
            return False
        return (self.since is None and self.until is None) or self._is_in_time(record.time)

    def _is_in_time(self, time: datetime | None) -> bool:
        if time is None:
            return False
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


def filled(option: str, text: str | None) -> str | None:
    """Return what was given with *option*.

    Raises:
        ConfigurationError: it is empty, as a variable that is not set makes it: every record would be meant.
    """
    if text == "":
        raise ConfigurationError(f"{option} is empty: give a text, or leave it out")
    return text


def parse_time(option: str, text: str | None) -> datetime | None:
    """Return the time that was given with *option*, in UTC where it has no zone.

    Raises:
        ConfigurationError: it is none.
    """
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        example = "2026-11-28 or 2026-11-28T16:00:00+01:00"
        raise ConfigurationError(f"{option} {text!r} is no time: give it as {example}, without a zone in UTC") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
