"""Who gets what: consumer groups and latecomers. In brackets the name of the case in Watermill's suite."""

from __future__ import annotations

from ...delivery.content import new_uuid
from ...delivery.message import Message
from ...protocols import Subscription
from .base import Cases
from .checks import make_messages, require_same
from .features import needs


class GroupCases(Cases):
    """Several groups on one topic."""

    @needs(consumer_groups=True)
    def test_each_group_gets_everything(self) -> None:
        """Expect all messages in each of two groups that were made before (TestConsumerGroups)."""
        with self.trial() as trial:
            subscribers = [trial.open(f"group-{new_uuid()}")[1] for _ in range(2)]
            subscriptions = [trial.subscribe(subscriber=each) for each in subscribers]
            if trial.features.persistent:
                for subscription in subscriptions:
                    subscription.close()
                subscriptions = [trial.subscribe(subscriber=each) for each in subscribers]
            sent = make_messages(50, keys=10)
            trial.publish(sent)
            received = [trial.read(subscription, len(sent)) for subscription in subscriptions]

        for messages in received:
            require_same(sent, messages)

    @needs(new_subscriber_receives_old_messages=True)
    def test_newcomer_gets_the_old_messages(self) -> None:
        """Expect a newcomer to begin at the beginning, the others to go on (TestNewSubscriberReceivesOldMessages)."""
        subscriptions: list[Subscription] = []
        rounds: list[tuple[list[Message], list[Message]]] = []
        with self.trial() as trial:
            everything: list[Message] = []
            for number in range(3):
                sent = make_messages(10, name=f"round-{number}")
                trial.publish(sent)
                everything.extend(sent)
                rounds.extend((sent, trial.read(each, len(sent))) for each in subscriptions)
                newcomer = trial.subscribe(subscriber=trial.open(f"group-{new_uuid()}")[1])
                subscriptions.append(newcomer)
                rounds.append((list(everything), trial.read(newcomer, len(everything))))

        for sent, received in rounds:
            require_same(sent, received)
