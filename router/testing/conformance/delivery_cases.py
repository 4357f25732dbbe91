"""What is published arrives: once, whole, and where it belongs. In brackets the name of the case in Watermill's suite."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from ...delivery.message import Message
from ...protocols import Subscription
from .base import Cases
from .checks import make_messages, require, require_same
from .reading import CHUNK_MESSAGES, next_chunk, read
from .trial import QUIET_SECONDS

FEW = 3
"""Messages that a receiver asks for which wants only some."""


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
            topics = [trial.new_topic() for _ in range(trial.volume(20, 10))]
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

    def test_receiver_gets_no_more_than_it_asks_for(self) -> None:
        """Expect no larger chunk, neither of first deliveries nor of messages that were nacked one after the other."""
        with self.trial() as trial:
            sent = make_messages(30)
            subscription = trial.feed(sent)
            nacked: set[str] = set()
            acked: set[str] = set()
            largest = 0
            while len(acked) < len(sent):
                chunk = next_chunk(subscription, FEW, trial.features.idle_timeout)
                largest = max(largest, len(chunk))
                for message in chunk:
                    if len(nacked) < 2 * FEW and message.uuid not in nacked:
                        nacked.add(message.uuid)
                        message.nack()
                    elif message.ack():
                        acked.add(message.uuid)

        require(largest <= FEW, f"{largest} messages came at once where {FEW} were asked for")

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
            subscriptions = [trial.feed([one], trial.new_topic()), trial.feed([other], trial.new_topic())]
            received = [trial.read(subscription, 1) for subscription in subscriptions]
            # What comes now may be the own message again: the second subscription made the group share out anew.
            later = [subscription.receive(CHUNK_MESSAGES, QUIET_SECONDS) for subscription in subscriptions]

        strays = [message for message in later[0] if message != one] + [each for each in later[1] if each != other]
        require(not strays, f"messages of another topic came: {strays}")
        require_same([one], received[0])
        require_same([other], received[1])


def _nack(subscription: Subscription, count: int, idle_timeout: float) -> None:
    """Nack what comes, *count* deliveries or more, until a message has come again after its second nack as well."""
    nacks: Counter[str] = Counter()
    while nacks.total() < count or max(nacks.values()) < 3:
        for message in next_chunk(subscription, count, idle_timeout):
            nacks[message.uuid] += 1
            message.nack()
