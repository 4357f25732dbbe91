"""What waits in a poison topic: records that no replay has sent back. Else a service that has set messages aside looks well."""

from __future__ import annotations

import contextlib

from millstream.router import KafkaSubscriberConfig, MillstreamError
from millstream.router.kafka.lag import GroupLag

from ..dlq.asking import ask_again
from ..dlq.topic_outbox import check_committed, read_ledgers
from .findings import ANSWER_SECONDS, Finding, ok, skipped, warning

LOOK = "millstream dlq list says why; once that is mended, millstream dlq replay sends them back"


def look_at_poison(topic: str, reader: KafkaSubscriberConfig) -> Finding:
    """Return how many records of *topic* the group of *reader* has not replayed.

    Who may not look is told so, and no more: a service only writes there.
    """
    try:
        return judge_waiting(topic, _count_waiting(topic, reader))
    except MillstreamError as error:
        return skipped(_subject(topic), f"not looked at: {error}")


def _count_waiting(topic: str, reader: KafkaSubscriberConfig) -> int:
    # What a replay that was killed has left open is not waited for.
    with contextlib.closing(GroupLag(reader, topic, is_stable=False)) as lag:
        # Who coordinates a group that nobody has asked for may only just be coming up.
        commits = ask_again(lambda: lag.commits(ANSWER_SECONDS), seconds=ANSWER_SECONDS)
        ends = lag.ends(ANSWER_SECONDS)
    check_committed(commits, ends, topic, reader.group_id)
    ledgers = read_ledgers(commits, ends, topic, reader.group_id)
    return sum(ledger.count_left(ends.end[partition]) for partition, ledger in ledgers.items())


def judge_waiting(topic: str, waiting: int) -> Finding:
    """Return a warning where records wait, with what to do."""
    if not waiting:
        return ok(_subject(topic), "nothing waits")
    wait = "1 record waits" if waiting == 1 else f"{waiting:,} records wait"
    return warning(_subject(topic), f"{wait}: {LOOK}")


def _subject(topic: str) -> str:
    return f"set aside in {topic}"
