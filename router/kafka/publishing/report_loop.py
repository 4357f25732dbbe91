"""The thread that alone polls the producer, and takes in the delivery reports.

Nobody else polls, so reports are counted without a race and a report that is late finds somebody at home. It ends when the
publisher has closed and every call has its outcome, when the close timeout is over (what is left is purged and reported), or when
brokers refuse us; and should it die, every waiting call is told.
"""

from __future__ import annotations

from confluent_kafka import KafkaException
from loguru import logger

from ...clock import MONOTONIC
from ...errors import MillstreamError, StateError
from ..connection import ConnectionWatch
from ..probe import has_answer
from .gate import Gate
from .outcomes import Outcomes
from .steady_producer import SteadyProducer

POLL_SECONDS = 0.05
"""How late a close may be noticed; a delivery report ends the poll at once."""
BUSY_POLL_SECONDS = 0.005
"""The same while messages are sent one by one, whose reports end no poll."""
LOOK_SECONDS = 0.5
"""Between looks whether our credentials work, until something has."""
ANSWER_SECONDS = 0.1
"""How long such a look may keep delivery reports waiting, where nobody answers; an answer takes milliseconds."""
PURGE_SECONDS = 1.0
"""How long the reports of purged messages may take; they come from inside the process."""


class ReportLoop:
    """One publisher's poll thread; `run` is its body.

    Args:
        producer: who is polled.
        outcomes: what the reports come to, and what is sent again.
        gate: who waits, and when to end.
        watch: hears of errors.
    """

    def __init__(self, producer: SteadyProducer, outcomes: Outcomes, gate: Gate, watch: ConnectionWatch) -> None:
        self._producer = producer
        self._outcomes = outcomes
        self._singles = outcomes.singles
        self._gate = gate
        self._watch = watch

    def run(self) -> None:
        """Poll until the publisher has closed or can send nothing any more, and end every call."""
        end: MillstreamError = StateError("the poll thread of the Kafka publisher died")
        try:
            self._poll_until_closed()
            end = self._watch.failure or StateError("the Kafka publisher is closed")
        finally:
            self._stop(end)

    def _poll_until_closed(self) -> None:
        next_look = MONOTONIC.now() + LOOK_SECONDS
        while self._watch.failure is None:
            self._poll(BUSY_POLL_SECONDS if self._singles else POLL_SECONDS)
            if not self._watch.has_logged_in and MONOTONIC.now() >= next_look:
                self._look_for_contact()
                next_look = MONOTONIC.now() + LOOK_SECONDS
            if self._gate.is_done:
                return
            if MONOTONIC.now() >= self._gate.closes_at:
                unconfirmed = len(self._producer) + len(self._singles)
                logger.error("Kafka publisher closes with {messages} messages not confirmed", messages=unconfirmed)
                self._purge()
                return

    def _poll(self, seconds: float) -> None:
        try:
            served = self._producer.poll(seconds)
            self._singles.step()
        except KafkaException as error:  # this is how confluent-kafka tells of what is fatal
            self._watch.on_raised(error.args[0])
            return
        if served:
            is_moving, self._outcomes.is_moving = self._outcomes.is_moving, False
            self._gate.take_poll(is_moving=is_moving)

    def _look_for_contact(self) -> None:
        """Ask anything: credentials that have once worked and are refused later are an outage, also before the first message."""
        if has_answer(self._producer, ANSWER_SECONDS):  # who refuses us, or why nobody answers, is said elsewhere
            self._watch.on_contact()

    def _purge(self) -> None:
        """Drop what is not confirmed; each message is reported with the reason."""
        self._outcomes.is_purging = True
        try:
            self._producer.purge()
            self._producer.flush(PURGE_SECONDS)
            self._singles.purge(PURGE_SECONDS)
        except KafkaException as error:
            self._watch.on_raised(error.args[0])

    def _stop(self, end: MillstreamError) -> None:
        self._gate.stop(end)
        self._producer.purge()
        self._producer.let_go()
        self._singles.let_go()
