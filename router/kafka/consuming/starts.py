"""Where the partitions of a new assignment begin: at what their group has committed, else where the user said.

librdkafka could look this up by itself, but what it does without a committed offset (`auto.offset.reset`) it would also do with
one that is out of range: jump, and say nothing. So its reset is an error, and the question is ours.

A start at the end of the log is committed, as that is where the group has begun: otherwise whoever has the partition next would
begin at an end that has moved on, past messages that nobody has handled.
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


class Starts:
    """Asks for committed offsets. For the poll thread, inside the callback of an assignment.

    Args:
        config: the group, and where a partition without a committed offset begins.
        seconds: how long the coordinator may take; the client is not polled meanwhile.
    """

    def __init__(self, config: KafkaSubscriberConfig, seconds: float) -> None:
        self._config = config
        self._seconds = seconds
        self._is_latest = config.start_from == "latest"

    def of(self, consumer: Consumer, partitions: list[TopicPartition], is_closing: Callable[[], bool]) -> Places | None:
        """Return each of *partitions* with the offset to begin at; `None` when the coordinator did not say in time.

        An error is never taken for "nothing committed": the partition would begin at its end, or again from its beginning.

        Raises:
            ConfigurationError: the group or the topic may not be read by us.
        """
        deadline, pause = MONOTONIC.now() + self._seconds, threading.Event()
        while partitions:
            left = deadline - MONOTONIC.now()
            if left <= 0 or is_closing():
                return None
            committed = self._ask(consumer, partitions, left)
            if committed is not None:
                return self._places(consumer, committed, deadline)
            pause.wait(min(ASK_AGAIN_SECONDS, left))
        return Places([], [])

    def _ask(self, consumer: Consumer, partitions: list[TopicPartition], seconds: float) -> list[TopicPartition] | None:
        try:
            committed = consumer.committed(partitions, timeout=seconds)
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

    def _places(self, consumer: Consumer, committed: list[TopicPartition], deadline: float) -> Places:
        places = Places([], [])
        for each in committed:
            place = TopicPartition(each.topic, each.partition, each.offset)
            places.all.append(place)
            if each.offset >= 0:
                continue
            place.offset = _end(consumer, each, deadline) if self._is_latest else OFFSET_BEGINNING
            if place.offset >= 0:
                places.ends.append(place)
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
