"""Whether the topic is still the one that was there before: one that was deleted and made anew has its old name, and new offsets.

Going on from an offset of the old one would skip what the new one has below it, and only the id tells them apart. It is asked for
at the start, at each assignment and each rewound log, when brokers say that there is no such topic, and now and then; on a thread
of its own, so that nothing waits for it. Where nobody tells it, nothing is compared.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial
from typing import Protocol

from ...clock import MONOTONIC
from ...errors import HaltedError
from ...worker_thread import WorkerThread
from ..config import KafkaSubscriberConfig
from .commit_note import other_id

LOOK_SECONDS = 15.0
"""Between looks: how long a new topic may be taken for the old one, where nothing else tells."""
SUSPICION_SECONDS = 1.0
"""The same while brokers say that there is no such topic."""
HANGING_SECONDS = 30.0
"""After which an asking is given up: neither the opening nor the end of a client that has lost its brokers has a limit."""
FIRST_SECONDS = 0.5
"""How long an assignment may wait for the first answer: it has had the time of a join, and takes some milliseconds."""


class Asking(Protocol):
    """What tells of a topic."""

    def count(self) -> int:
        """Return how many partitions it has; 0 when nobody tells."""

    def topic_id(self) -> str:
        """Return its id, asked after the count; empty when nobody tells."""


class _Answer:
    """What one asking has found; one that was given up has none that counts."""

    __slots__ = ("_began", "is_counted", "partitions", "topic_id")

    def __init__(self) -> None:
        self._began = MONOTONIC.now()
        self.topic_id = ""
        self.partitions = 0
        self.is_counted = threading.Event()

    @property
    def age(self) -> float:
        """Seconds since somebody was asked for it."""
        return MONOTONIC.now() - self._began


class TopicIdentity:
    """Compares ids. For the poll thread only.

    Args:
        topic: its name.
        config: the group and the brokers, for the error.
        asking: called on another thread, one call at a time.
    """

    def __init__(self, topic: str, config: KafkaSubscriberConfig, asking: Asking) -> None:
        self.topic_id = ""
        """What our commits are of; empty while nobody has told."""
        self._topic = topic
        self._config = config
        self._asking = asking
        self._noted: list[str] = []
        """What commits are of that we go on from, until they were compared."""
        self._answer = _Answer()
        self._looker: WorkerThread | None = None
        self._asked_at = self._next_look = -LOOK_SECONDS
        self._epoch = 0

    def expect(self, noted: Iterable[str], deadline: float) -> None:
        """Take note of what the commits are of that we go on from; it is compared with the next answer.

        Waits for the first answer, `FIRST_SECONDS` or until *deadline* at most, so that our first commit says of what it is.

        Raises:
            HaltedError: another topic is there.
        """
        self._noted += [each for each in noted if each]
        if self._looker is not None and not self.topic_id:
            self._looker.join(min(deadline, MONOTONIC.now() + FIRST_SECONDS))
            self._take_answer()
        if self._noted and not self.topic_id:
            self.topic_id = self._noted[0]  # ours must not make theirs look right

    def suspect(self) -> None:
        """Look again soon: brokers say that there is no such topic."""
        self._next_look = min(self._next_look, self._asked_at + SUSPICION_SECONDS)

    def look(self, now: float, epoch: int) -> None:
        """Take in an answer that has come, and ask when it is time or *epoch* has changed. Returns at once.

        Raises:
            HaltedError: the topic is another one than before.
        """
        self._take_answer()
        if self._looker is not None and not self._is_hanging:
            return
        if epoch != self._epoch or now >= self._next_look:
            self._epoch = epoch
            self._begin(now)

    def count(self, deadline: float) -> int:
        """Return how many partitions the topic has now, 0 when nobody said until *deadline*. Waits for it."""
        is_open = not self._answer.is_counted.is_set() or self._answer.partitions > 0
        if self._looker is None or not is_open or self._is_hanging:
            self._begin(MONOTONIC.now())
        answer = self._answer
        answer.is_counted.wait(max(0.0, deadline - MONOTONIC.now()))
        return answer.partitions

    @property
    def _is_hanging(self) -> bool:
        return self._looker is not None and self._looker.is_alive and self._answer.age >= HANGING_SECONDS

    def _begin(self, now: float) -> None:
        self._asked_at, self._next_look = now, now + LOOK_SECONDS
        self._answer = _Answer()
        self._looker = WorkerThread(f"kafka-topic-id-{self._topic}", partial(self._look, self._answer))
        self._looker.start()

    def _look(self, answer: _Answer) -> None:
        try:
            answer.partitions = self._asking.count()
        finally:
            answer.is_counted.set()
        if answer.partitions:
            answer.topic_id = self._asking.topic_id()

    def _take_answer(self) -> None:
        if self._looker is None or self._looker.is_alive:
            return
        self._looker, found = None, self._answer.topic_id
        if not found:
            return
        old = other_id([self.topic_id, *self._noted], found)
        if old:
            raise self._made_anew(old, found)
        self._noted.clear()
        self.topic_id = found

    def _made_anew(self, old: str, new: str) -> HaltedError:
        ids = f"its id was {old.partition('@')[0]} and is {new.partition('@')[0]}"
        command = (
            f"kafka-consumer-groups.sh --bootstrap-server {self._config.address} --group {self._config.group_id} "
            f"--topic {self._topic} --reset-offsets --to-earliest --execute"
        )
        return HaltedError(
            f"topic {self._topic!r} was deleted and made anew ({ids}): the group's offsets are of the old one, and going on from "
            f"them may skip records of the new one; reset them where you want to go on, such as with: {command}"
        )
