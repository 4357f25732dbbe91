"""A broker that goes away and comes back. In brackets the name of the case in Watermill's suite."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ...clock import MONOTONIC
from ...delivery.message import Message
from ...errors import MillstreamError
from .base import Cases
from .checks import ConformanceError, make_messages, require, require_same
from .features import needs
from .trial import Trial

AGAIN_SECONDS = 0.05
"""Between attempts to publish while the broker is away."""
STANDSTILL_SECONDS = 0.2
"""Without a confirmation, while many threads publish: the broker has gone for everybody."""
PUBLISH_SECONDS = 120.0
"""For a third of the messages: a restart of a real broker takes up to 30 s."""


class OutageCases(Cases):
    """Publishing through outages."""

    @needs(restartable=True)
    def test_nothing_is_lost_when_the_broker_restarts(self) -> None:
        """Expect all messages although the broker was away twice while they were published (TestReconnect)."""
        with self.trial() as trial:
            sent, publishers = make_messages(trial.volume(10_000, 500)), trial.volume(100, 20)
            third, half = len(sent) // 3, len(sent) // 2
            subscription = trial.subscribe()
            publishing = _Publishing(trial, sent, third + publishers)
            with ThreadPoolExecutor(publishers) as threads:
                running = [threads.submit(publishing.run) for _ in range(publishers)]
                try:
                    for count, further in ((third, half + publishers), (half, len(sent))):
                        publishing.wait_for(count)
                        self.stop_service()
                        try:
                            publishing.allow(further)
                            publishing.wait_for_standstill()
                        finally:
                            self.start_service()  # else the publishers of a case that fails here would wait for ever
                finally:
                    publishing.allow(len(sent))
            for each in running:
                each.result()
            # Read only now: the restarts may take longer than the silence that ends a read.
            received = trial.read(subscription, len(sent))

        require_same(sent, received)


class _Publishing:
    """Publishes messages from several threads, in steps that the case allows: so there is always something left for an outage."""

    def __init__(self, trial: Trial, messages: Sequence[Message], allowed: int) -> None:
        self._trial = trial
        self._messages = messages
        self._allowed = allowed
        self._begun = 0
        self._confirmed = 0
        self._changed = threading.Condition()

    def run(self) -> None:
        """Publish one message after the other, until all have their publisher."""
        while (message := self._next()) is not None:
            self._persist(message)
            with self._changed:
                self._confirmed += 1
                self._changed.notify_all()

    def _next(self) -> Message | None:
        """Return the next message as soon as it is allowed; `None` when there is none."""
        with self._changed:
            self._changed.wait_for(lambda: self._begun < self._allowed or self._begun == len(self._messages))
            if self._begun == len(self._messages):
                return None
            self._begun += 1
            return self._messages[self._begun - 1]

    def _persist(self, message: Message) -> None:
        """Publish *message*, again and again until it is out or nothing has worked for the idle time-out."""
        deadline = MONOTONIC.now() + self._trial.features.idle_timeout
        pause = threading.Event()
        while True:
            try:
                self._trial.publisher.publish(self._trial.topic, message)
            except MillstreamError as error:
                if MONOTONIC.now() >= deadline:
                    raise ConformanceError(f"{message!r} could not be published: {error}") from error
                pause.wait(AGAIN_SECONDS)
            else:
                return

    def allow(self, count: int) -> None:
        """Let the threads begin with messages until *count* have been begun."""
        with self._changed:
            self._allowed = count
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        """Wait until *count* messages are confirmed."""
        with self._changed:
            is_out = self._changed.wait_for(lambda: self._confirmed >= count, PUBLISH_SECONDS)
        require(is_out, "publishing has stopped")

    def wait_for_standstill(self) -> None:
        """Wait until nothing is confirmed any more, although messages wait for it."""
        with self._changed:
            while self._changed.wait(STANDSTILL_SECONDS):
                pass
            require(self._confirmed < self._begun, "publishing goes on although the broker was stopped")
