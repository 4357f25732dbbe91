"""From a poison record to the message that goes back, or why none does."""

from __future__ import annotations

import enum
from typing import NamedTuple

import msgspec

from millstream.router import Message
from millstream.router.kafka.names import NAME
from millstream.router.poison.record import CUT, ENTRIES, REPLAYS

from .records import PoisonRecord

MAX_REPLAYS = 3
"""The default of `--max-replays`: what fails after so many has another cause than the one that was mended."""


class Left(enum.Enum):
    """Why a record stays where it is; what to do is in the words."""

    CUT = "cut, as their poison topic took no more: only their own topic has them whole"
    NO_TOPIC = "without a topic to go back to: --to TOPIC sends them"
    OWN = "whose topic is the one that they are in"
    REPLAYED = "replayed as often as --max-replays allows"
    REFUSED = "that their topic does not take"


class Back(NamedTuple):
    """A message and the topic that it goes to."""

    topic: str
    message: Message


class Rules(msgspec.Struct, frozen=True):
    """What goes back where.

    Args:
        to: for records that say no topic; `None`: they are left.
        max_replays: how often a message is sent back.
    """

    to: str | None = None
    max_replays: int = MAX_REPLAYS

    def judge(self, record: PoisonRecord) -> Back | Left:
        """Return the message that goes back, as it came, with one more replay counted; or why it is left."""
        if record.is_cut:
            return Left.CUT
        topic = record.topic or self.to
        if topic is None or not NAME.fullmatch(topic):
            return Left.NO_TOPIC
        if topic == record.message.topic:
            return Left.OWN
        if record.replays >= self.max_replays:
            return Left.REPLAYED
        return Back(topic, _message(record))


def _message(record: PoisonRecord) -> Message:
    message = record.message
    metadata = {name: value for name, value in message.metadata.items() if name not in ENTRIES and name != CUT}
    metadata[REPLAYS] = str(record.replays + 1)
    return Message(message.payload, uuid=message.uuid, metadata=metadata, key=message.key)
