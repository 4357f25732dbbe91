"""A poison topic in memory: what the tests of a replay need of Kafka."""

import contextlib

from millstream.handlers.cli.dlq.ledger import Ledger
from millstream.handlers.cli.dlq.records import PoisonRecord
from millstream.router import Message
from millstream.router.kafka.publishing.transactions import Refused


class Killed(BaseException):
    """The process has ended."""


class FakeSource:
    """Holds records, takes what is sent back, and notes it with that.

    Args:
        messages: of the records; a `None` stands for an offset without one.
        refused: uuids that no topic takes.
        dies_after: chunks after which the process ends.
    """

    name = "dlq"

    def __init__(self, messages, refused=(), dies_after=None):
        self.messages = messages
        self.refused = set(refused)
        self.dies_after = dies_after
        self.ledger = Ledger()
        self.sent = []
        self.chunks = []

    def look(self):
        """Nothing changes."""

    def read(self, is_stopped):
        """Yield the records two by two."""
        begin = 0
        chunk = []
        for offset, message in enumerate(self.messages):
            if message is None:
                continue
            read = Message(
                message.payload, uuid=message.uuid, metadata=dict(message.metadata), topic="dlq", offset=offset
            )
            chunk.append(PoisonRecord(read, "dlq", begin, offset + 1, is_replayed=offset in self.ledger))
            begin = offset + 1
            if len(chunk) == 2:
                yield chunk
                chunk = []
        yield chunk

    read_left = read

    @contextlib.contextmanager
    def outbox(self):
        """The source is its own."""
        yield self

    def send(self, items):
        """All or nothing, as a transaction."""
        backs = [back for _, back in items if back is not None]
        if self.refused & {back.message.uuid for back in backs}:
            raise Refused("too large")
        if self.dies_after == len(self.chunks):
            raise Killed
        self.chunks.append(len(backs))
        self.sent += [(back.topic, back.message.uuid) for back in backs]
        for record, _ in items:
            self.ledger.add(record.begin, record.end)
        self.ledger = Ledger.read(self.ledger.position, self.ledger.note())

    def close(self):
        """Nothing is open."""
