"""Poison records in a Kafka topic. What was replayed is noted in the offsets of a group, in one transaction with what is sent."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from millstream.router import ConfigurationError, Message
from millstream.router.kafka import KafkaPublisherConfig, KafkaSubscriberConfig
from millstream.router.kafka.lag import GroupLag, TopicEnds
from millstream.router.kafka.names import name_of
from millstream.router.kafka.publishing.transactions import TransactionalSender
from millstream.router.kafka.reading import read_topic

from .asking import ask_again
from .ledger import Ledger
from .records import PoisonRecord
from .topic_outbox import TopicOutbox, check_committed, noted, read_ledgers


class TopicSource:
    """The records of one topic.

    Args:
        topic: its name.
        reader: the settings of who reads it; its group has the notes, and must have no members.
        writer: the settings of the publisher.
    """

    def __init__(self, topic: str, reader: KafkaSubscriberConfig, writer: KafkaPublisherConfig) -> None:
        self.name = topic
        self._reader = reader
        self._writer = writer
        # What a replay that was killed has left open is not waited for: the next one ends it, and asks again.
        self._lag = GroupLag(reader, topic, is_stable=False)
        self._ends = TopicEnds({}, {})
        self._ledgers: dict[int, Ledger] = {}

    def look(self) -> None:
        """See `Source.look`."""
        # In this order: another replay may go on meanwhile, but never beyond an end that is asked for later.
        commits = ask_again(self._lag.commits)
        self._ends = ask_again(self._lag.ends)
        check_committed(commits, self._ends, self.name, self._reader.group_id)
        self._ledgers = read_ledgers(commits, self._ends, self.name, self._reader.group_id)

    def read(self, is_stopped: Callable[[], bool]) -> Generator[Sequence[PoisonRecord]]:
        """See `Source.read`."""
        return self._read(dict(self._ends.first), self._ends.end, is_stopped)

    def read_left(self, is_stopped: Callable[[], bool]) -> Generator[Sequence[PoisonRecord]]:
        """See `Source.read_left`."""
        begin = {partition: ledger.position for partition, ledger in self._ledgers.items()}
        return self._read(begin, self._ends.end, is_stopped)

    def read_one(self, partition: int, offset: int) -> PoisonRecord:
        """Return the record at an offset.

        Raises:
            ConfigurationError: there is none, with what there is.
        """
        self._check_place(partition, offset)
        with contextlib.closing(self._read({partition: offset}, {partition: offset + 1}, lambda: False)) as records:
            found = next(records, None)
        if not found:
            raise ConfigurationError(f"topic {self.name}, partition {partition} has no record at offset {offset}")
        return found[0]

    def _check_place(self, partition: int, offset: int) -> None:
        if partition not in self._ends.end:
            raise ConfigurationError(f"topic {self.name} has the partitions 0 to {len(self._ends.end) - 1}")
        first, end = self._ends.first[partition], self._ends.end[partition]
        if not first <= offset < end:
            held = f"holds the offsets {first} to {end - 1}" if first < end else "is empty"
            raise ConfigurationError(f"topic {self.name}, partition {partition} {held}")

    def _read(
        self, begin: dict[int, int], end: Mapping[int, int], is_stopped: Callable[[], bool]
    ) -> Generator[Sequence[PoisonRecord]]:
        with contextlib.closing(read_topic(self._reader, self.name, begin, end, is_stopped)) as chunks:
            for chunk in chunks:
                yield [self._record(message, begin) for message in chunk]

    def _record(self, message: Message, begin: dict[int, int]) -> PoisonRecord:
        partition, offset = message.partition, message.offset
        first, begin[partition] = begin[partition], offset + 1
        is_replayed = offset in self._ledgers[partition]
        # After a reset to the beginning of the topic a record may stand below what was expected.
        return PoisonRecord(message, self.name, min(first, offset), offset + 1, partition, is_replayed)

    @contextlib.contextmanager
    def outbox(self) -> Iterator[TopicOutbox]:
        """See `Source.outbox`."""
        sender = TransactionalSender(self._writer, self._reader.group_id, name_of(self._reader.group_id, self.name))
        lag = GroupLag(self._reader, self.name)
        with contextlib.closing(sender), contextlib.closing(lag):
            sender.open()
            # Only now nobody else can add to it; another replay may have come further than we have looked.
            commits = ask_again(lag.commits)
            ledgers = self._ledgers = read_ledgers(commits, self._ends, self.name, self._reader.group_id)
            ask_again(lambda: sender.commit_alone(self.name, noted(ledgers, self.name)))
            yield TopicOutbox(self.name, sender, lag, ledgers)

    def close(self) -> None:
        """Close the connections."""
        self._lag.close()
