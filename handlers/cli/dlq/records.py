"""One poison record, from a topic or a file, and what can be read off it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from millstream.router import Message
from millstream.router.poison.record import CUT, ERROR_CLASS, HANDLER, OFFSET, PARTITION, REASON, REPLAYS, TIME, TOPIC


class PoisonRecord(msgspec.Struct, frozen=True):
    """A record and where it stands.

    Args:
        message: as it is there, the entries that say what happened among its metadata.
        source: the topic or the file.
        begin: the first offset that it stands for: also those before it that hold no record.
        end: the offset after it; in a file both count bytes.
        partition: of the topic.
        is_replayed: whether it was sent back before.
        line: where a record of `ingest` or `publish` says that it came from.
    """

    message: Message
    source: str
    begin: int
    end: int
    partition: int = 0
    is_replayed: bool = False
    line: str = ""

    @property
    def place(self) -> str:
        """Where it stands, in words."""
        message = self.message
        return (
            f"{message.topic}[{message.partition}]@{message.offset}" if message.topic else f"{self.source}@{self.begin}"
        )

    @property
    def came_from(self) -> str:
        """Where its message came from, in words; empty where nobody knows."""
        if not self.topic:
            return self.line
        partition, offset = (self.message.metadata.get(name, "?") for name in (PARTITION, OFFSET))
        return f"topic {self.topic}, partition {partition}, offset {offset}"

    @property
    def reason(self) -> str:
        """What was wrong, behind the class of the error."""
        reason, error_class = self.message.metadata.get(REASON, ""), self.message.metadata.get(ERROR_CLASS, "")
        return f"{error_class}: {reason}" if error_class and not reason.startswith(error_class) else reason

    @property
    def handler(self) -> str:
        """Who has set it aside."""
        return self.message.metadata.get(HANDLER, "")

    @property
    def topic(self) -> str:
        """Where its message came from, and goes back to."""
        return self.message.metadata.get(TOPIC, "")

    @property
    def time(self) -> datetime | None:
        """When it was set aside; where it does not say, when it was written."""
        try:
            time = datetime.fromisoformat(self.message.metadata[TIME])
        except (KeyError, ValueError):
            stamp = self.message.timestamp
            return None if stamp is None else datetime.fromtimestamp(stamp, UTC)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)

    @property
    def is_cut(self) -> bool:
        """Whether only the beginning of the payload is there."""
        return CUT in self.message.metadata

    @property
    def replays(self) -> int:
        """How often its message was sent back before."""
        count = self.message.metadata.get(REPLAYS, "")
        return int(count) if count.isdecimal() and count.isascii() else 0
