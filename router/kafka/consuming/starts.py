"""Where the partitions of a new assignment begin: at what their group has committed, else where the user said.

librdkafka could look this up by itself, but what it does without a committed offset (`auto.offset.reset`) it would also do with
one that is out of range: jump, and say nothing. So its reset is an error, and the question is ours.

A start at the end of the log is committed, as that is where the group has begun: otherwise whoever has the partition next would
begin at an end that has moved on, past messages that nobody has handled. Only partitions that were there when the group began
start there. One that was added later begins at its beginning: its first records may be older than our hearing of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from loguru import logger

from ...clock import MONOTONIC
from ...errors import ConfigurationError
from ..config import KafkaSubscriberConfig
from ..redaction import hide
from .commit_note import CommitNote, count_at_the_start, notes_of
from .topic_identity import TopicIdentity

ASK_AGAIN_SECONDS = 0.1
"""After an answer such as "not the coordinator (any more)": a group moves within a few of these."""
END_SECONDS = 1.0
"""How long the leader of one partition may take to tell where its log ends: the others must not wait for one without."""
REFUSED = frozenset({KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED})


class Places(NamedTuple):
    """Where partitions begin."""

    all: list[TopicPartition]
    ends: list[TopicPartition]
    """Those of them that begin at the end of their log."""
    notes: list[CommitNote]
    """What the commits say that the others go on from."""
    partitions: int | None
    """How many the topic had when the group began; `None` where that does not matter."""


NOWHERE = Places([], [], [], None)


class Starts:
    """Asks for committed offsets. For the poll thread, inside the callback of an assignment: the client is not polled meanwhile.

    Args:
        config: the group, and where a partition without a committed offset begins.
        identity: knows how many partitions the topic has.
    """

    def __init__(self, config: KafkaSubscriberConfig, identity: TopicIdentity) -> None:
        self._config = config
        self._identity = identity
        self._is_latest = config.start_from == "latest"

    def of(
        self, consumer: Consumer, partitions: list[TopicPartition], deadline: float, is_closing: Callable[[], bool]
    ) -> Places | None:
        """Return each of *partitions* with the offset to begin at; `None` when the coordinator did not say until *deadline*.

        An error is never taken for "nothing committed": the partition would begin at its end, or again from its beginning.

        Raises:
            ConfigurationError: the group or the topic may not be read by us.
        """
        pause = threading.Event()
        while partitions:
            left = deadline - MONOTONIC.now()
            if left <= 0 or is_closing():
                return None
            places = self._look(consumer, partitions, deadline)
            if places is not None:
                return places
            pause.wait(min(ASK_AGAIN_SECONDS, left))
        return NOWHERE

    def _look(self, consumer: Consumer, partitions: list[TopicPartition], deadline: float) -> Places | None:
        committed = self._ask(consumer, partitions, deadline)
        if committed is None:
            return None
        notes = notes_of(committed)
        if not self._is_latest or len(notes) == len(committed):
            count = min((each.partitions for each in notes if each.partitions is not None), default=None)
            return Places(_places(consumer, committed, 0, deadline), [], notes, count)
        count = self._count(consumer, partitions, deadline)
        if count is None:
            return None
        places = _places(consumer, committed, count, deadline)
        was_committed = {each.partition for each in committed if each.offset >= 0}
        ends = [each for each in places if each.offset >= 0 and each.partition not in was_committed]
        return Places(places, ends, notes, count)

    def _count(self, consumer: Consumer, partitions: list[TopicPartition], deadline: float) -> int | None:
        """Return how many partitions the topic had when the group began; `None` when nobody says."""
        # Not from the consumer: confluent-kafka (2.16) forgets inside `list_topics` that this thread is in a poll already, and
        # the next line that librdkafka logs in that poll would abort the process.
        now = self._identity.count(deadline)
        if not now:
            return None
        now = max(now, *(each.partition + 1 for each in partitions))  # not every broker knows of a new one yet
        everything = [TopicPartition(partitions[0].topic, partition) for partition in range(now)]
        committed = self._ask(consumer, everything, deadline)
        return None if committed is None else count_at_the_start(committed, now)

    def _ask(
        self, consumer: Consumer, partitions: list[TopicPartition], deadline: float
    ) -> list[TopicPartition] | None:
        try:
            committed = consumer.committed(partitions, timeout=max(0.0, deadline - MONOTONIC.now()))
            error = next((each.error for each in committed if each.error is not None), None)
        except KafkaException as failure:
            error = failure.args[0]
        if error is None:
            return committed
        text = hide(error.str(), self._config.secrets)
        if error.code() in REFUSED:
            raise ConfigurationError(f"group {self._config.group_id!r}: committed offsets are refused: {text}")
        log = logger.bind(topic=partitions[0].topic, group=self._config.group_id, error=text)
        log.debug("committed offsets not told, asking again")
        return None


def _places(consumer: Consumer, committed: list[TopicPartition], count: int, deadline: float) -> list[TopicPartition]:
    """Return where each of *committed* begins: without an offset at its end, and at its beginning from the number *count* on."""
    places = []
    for each in committed:
        offset = each.offset
        if offset < 0:
            offset = _end(consumer, each, deadline) if each.partition < count else OFFSET_BEGINNING
        places.append(TopicPartition(each.topic, each.partition, offset))
    return places


def _end(consumer: Consumer, place: TopicPartition, deadline: float) -> int:
    """Return the offset of the end of the log; where no leader tells it in time, the word for "wherever that will be"."""
    seconds = min(END_SECONDS, deadline - MONOTONIC.now())
    try:
        found = consumer.get_watermark_offsets(place, seconds) if seconds > 0 else None
    except KafkaException as error:
        found = None
        logger.bind(topic=place.topic, partition=place.partition, error=str(error)).debug("end of the log not told")
    return OFFSET_END if found is None else found[1]
