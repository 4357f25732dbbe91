"""Sending back what came from a topic, and reading and writing which of its records that were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from millstream.router import ConfigurationError
from millstream.router.kafka.lag import Committed, GroupLag, TopicEnds
from millstream.router.kafka.publishing.transactions import Fenced, NoteTooLong, TransactionalSender

from .asking import ask_again
from .ledger import Ledger, LedgerFull
from .sources import Item


class TopicOutbox:
    """Sends back what came from a topic. For one thread.

    Args:
        topic: where the records are.
        sender: is open.
        lag: asks what is committed.
        ledgers: what was replayed, by partition; kept up to date.
    """

    def __init__(self, topic: str, sender: TransactionalSender, lag: GroupLag, ledgers: dict[int, Ledger]) -> None:
        self._topic = topic
        self._sender = sender
        self._lag = lag
        self._ledgers = ledgers
        self._known = noted(ledgers, topic)
        self._is_open = True

    def send(self, items: Sequence[Item]) -> None:
        """See `Outbox.send`."""
        if not self._is_open:
            self._reopen()
        after = {record.partition: self._ledgers[record.partition].copy() for record, _ in items}
        for record, _ in items:
            after[record.partition].add(record.begin, record.end)
        commits = noted(after, self._topic)
        self._is_open = False
        try:
            self._sender.send([back for _, back in items if back is not None], self._topic, commits)
        except NoteTooLong as error:
            text = f"the brokers keep no note of that length (offset.metadata.max.bytes): {error}"
            raise ConfigurationError(text) from None
        self._is_open = True
        self._ledgers.update(after)
        self._known.update(commits)

    def _reopen(self) -> None:
        """Go on after a refusal, unless somebody has sent since."""
        self._sender.open()
        commits = ask_again(self._lag.commits)
        if commits != self._known:
            raise Fenced("another replay has sent in the meantime")
        self._is_open = True


def check_committed(commits: Mapping[int, Committed], ends: TopicEnds, topic: str, group: str) -> None:
    """Raise ConfigurationError where *group* has replayed beyond the end of *topic*: that was another one of the name."""
    for partition, end in ends.end.items():
        replayed = commits.get(partition, Committed(0)).offset
        if replayed > end:
            raise ConfigurationError(
                f"topic {topic}, partition {partition} ends at {end}, but group {group!r} has replayed it up to"
                f" {replayed}: it was made anew; give another --group"
            )


def read_ledgers(commits: Mapping[int, Committed], ends: TopicEnds, topic: str, group: str) -> dict[int, Ledger]:
    """Return what was replayed, by partition, of what is still kept.

    Raises:
        ConfigurationError: what is committed is nothing of a replay.
    """
    ledgers = {}
    for partition, first in ends.first.items():
        committed = commits.get(partition, Committed(0))
        try:
            ledger = Ledger.read(committed.offset, committed.note)
        except ConfigurationError as error:
            raise ConfigurationError(f"group {group!r} of topic {topic}, partition {partition}: {error}") from None
        ledger.begin_at(first)
        ledgers[partition] = ledger
    return ledgers


def noted(ledgers: Mapping[int, Ledger], topic: str) -> dict[int, Committed]:
    """Return what is committed for *ledgers* of *topic*, by partition.

    Raises:
        LedgerFull: the pieces are too many, with what to do.
    """
    commits = {}
    for partition, ledger in ledgers.items():
        try:
            commits[partition] = Committed(ledger.position, ledger.note())
        except LedgerFull as error:
            raise LedgerFull(
                f"topic {topic}, partition {partition}: what was replayed would lie {error}, more than Kafka can note for a"
                " group; what was sent is noted: go on without a filter, or with one that passes over less"
            ) from None
    return commits
