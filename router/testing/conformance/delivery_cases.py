"""What is published arrives: once, whole, and where it belongs. In brackets the name of the case in Watermill's suite."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from ...clock import MONOTONIC
from ...errors import MillstreamError
from ...message import Message
from ...protocols import Subscription
from .base import Cases
from .checks import ConformanceError, make_messages, require, require_same
from .features import needs
from .reading import CHUNK_MESSAGES, read
from .trial import QUIET_SECONDS, Trial

AGAIN_SECONDS = 0.05
"""Between attempts to publish while the broker restarts."""

PUBLISH_SECONDS = 120.0
"""For a third of the messages: a restart of a real broker takes up to 30 s."""


class DeliveryCases(Cases):
    """Publishing and receiving."""

    def test_what_is_published_arrives(self) -> None:
        """Expect every message of one call, with its payload, metadata and key (TestPublishSubscribe)."""
        with self.trial() as trial:
            sent = make_messages(100, keys=10)
            subscription = trial.feed(sent)
            received = trial.read(subscription, len(sent))

        require_same(sent, received)

    def test_many_publishers_and_subscribers_lose_nothing(self) -> None:
        """Expect each message of many publishing threads once, over many subscribers (TestConcurrentSubscribe)."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(5000, 100), keys=50)
            subscriptions = trial.subscribe_many(trial.volume(50, 10))
            trial.publish_parallel(sent, trial.volume(50, 10))
            received = trial.read_merged(subscriptions, len(sent))

        require_same(sent, received)

    def test_many_topics_at_once_each_get_their_messages(self) -> None:
        """Expect the same messages in each of many topics, used at once (TestConcurrentSubscribeMultipleTopics)."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(100, 50))
            topics = [f"{trial.topic}-{number}" for number in range(trial.volume(20, 10))]
            trial.open()

            def use(topic: str) -> list[Message]:
                return trial.read(trial.feed(sent, topic), len(sent))

            with ThreadPoolExecutor(len(topics)) as users:
                received = list(users.map(use, topics))

        for messages in received:
            require_same(sent, messages)

    def test_nacked_messages_come_again(self) -> None:
        """Expect all messages although the first two deliveries were nacked (TestResendOnError)."""
        with self.trial() as trial:
            sent = make_messages(100)
            refused: list[str] = []

            def refuse_two(message: Message) -> None:
                if len(refused) < 2:
                    refused.append(message.uuid)
                    message.nack()
                elif message.ack():
                    handled.append(message)

            handled: list[Message] = []
            subscription = trial.feed(sent)
            timeout = trial.features.idle_timeout
            read(subscription, len(sent), timeout, verdict=refuse_two)
            read(subscription, len(sent) - len(handled), timeout, verdict=refuse_two)

        require_same(sent, list({message.uuid: message for message in handled}.values()))

    def test_nacks_without_end_block_nothing_for_ever(self) -> None:
        """Expect deliveries to go on through many nacks, and everything once they end (TestContinueAfterErrors)."""
        with self.trial() as trial:
            sent = make_messages(50)
            subscription = trial.feed(sent)
            for _ in range(trial.volume(3, 1)):
                _nack(subscription, trial.volume(100, 5), trial.features.idle_timeout)
                if trial.features.persistent:
                    trial.reopen()
                    subscription = trial.subscribe()
            received = trial.read(subscription, len(sent))

        require_same(sent, received)

    def test_topics_are_apart(self) -> None:
        """Expect each of two topics to deliver its own message only (TestTopic)."""
        with self.trial() as trial:
            one, other = make_messages(2)
            subscriptions = [trial.feed([one], f"{trial.topic}-one"), trial.feed([other], f"{trial.topic}-other")]
            received = [trial.read(subscription, 1) for subscription in subscriptions]
            # What comes now may be the own message again: the second subscription made the group share out anew.
            later = [subscription.receive(CHUNK_MESSAGES, QUIET_SECONDS) for subscription in subscriptions]

        strays = [message for message in later[0] if message != one] + [each for each in later[1] if each != other]
        require(not strays, f"messages of another topic came: {strays}")
        require_same([one], received[0])
        require_same([other], received[1])

    @needs(restartable=True)
    def test_nothing_is_lost_when_the_broker_restarts(self) -> None:
        """Expect all messages although the broker restarted twice while they were published (TestReconnect)."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(10_000, 500))
            subscription = trial.subscribe()
            published = _Published()
            with ThreadPoolExecutor(trial.volume(100, 20)) as threads:
                publishing = [threads.submit(published.persist, trial, message) for message in sent]
                for part in (3, 2):
                    require(published.wait(len(sent) // part), "publishing has stopped")
                    self.restart_service()
            for each in publishing:
                each.result()
            # Read only now: the restarts may take longer than the silence that ends a read.
            received = trial.read(subscription, len(sent))

        require_same(sent, received)


def _nack(subscription: Subscription, count: int, idle_timeout: float) -> None:
    """Nack the next *count* deliveries, and require that each comes in time."""
    while count > 0:
        chunk = subscription.receive(count, idle_timeout)
        require(chunk, f"nothing was delivered for {idle_timeout:g} s after a nack")
        for message in chunk:
            message.nack()
        count -= len(chunk)


class _Published:
    """Counts what was published, however often it had to be tried."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def persist(self, trial: Trial, message: Message) -> None:
        """Publish *message*, again and again until it is out or nothing has worked for the idle time-out."""
        deadline = MONOTONIC.now() + trial.features.idle_timeout
        pause = threading.Event()
        while True:
            try:
                trial.publisher.publish(trial.topic, message)
            except MillstreamError as error:
                if MONOTONIC.now() >= deadline:
                    raise ConformanceError(f"{message!r} could not be published: {error}") from error
                pause.wait(AGAIN_SECONDS)
            else:
                break
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, count: int) -> bool:
        """Wait until *count* messages are out; returns False when that takes longer than any broker should need."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count >= count, PUBLISH_SECONDS)
