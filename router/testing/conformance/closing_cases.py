"""What ends when something is closed, and what goes on. In brackets the name of the case in Watermill's suite."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ...delivery.message import Message
from ...errors import SubscriptionClosed
from ...protocols import Subscription
from ..running import eventually
from .base import Cases
from .checks import make_messages, require, require_same
from .features import needs
from .reading import receive


class ClosingCases(Cases):
    """Closing publishers and subscriptions, and what of it a message's context hears."""

    def test_closed_subscription_ends(self) -> None:
        """Expect a subscription that was closed twice to say that nothing more will come."""
        with self.trial() as trial:
            subscription = trial.feed(make_messages(1))
            trial.read(subscription, 1)
            subscription.close()
            subscription.close()
            has_ended = _ends(subscription, trial.features.idle_timeout)

        require(has_ended, "receive() raised no SubscriptionClosed after the close")

    def test_publishers_that_close_lose_nothing(self) -> None:
        """Expect all messages of many threads although their publisher was closed right after (TestPublisherClose)."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(10_000, 100))
            if trial.features.persistent and not trial.features.require_single_instance:
                trial.publish_parallel(sent, 20)
                trial.publisher.close()
                subscription = trial.subscribe()
            else:
                subscription = trial.subscribe()
                trial.publish_parallel(sent, 20)
                trial.publisher.close()
            received = trial.read(subscription, len(sent))

        require_same(sent, received)

    @needs(exactly_once=False)
    def test_subscriptions_that_close_at_once_lose_nothing(self) -> None:
        """Expect all messages after many subscriptions of the topic came and went together (TestConcurrentClose)."""
        with self.trial() as trial:

            def come_and_go(number: int) -> None:
                # Where members of one group cannot be, each is in a group of its own.
                group = f"{trial.group}-{number}" if trial.features.require_single_instance else None
                trial.subscribe(subscriber=trial.open(group)[1]).close()

            with ThreadPoolExecutor(10) as threads:
                list(threads.map(come_and_go, range(10)))
            sent = make_messages(50)
            if trial.features.persistent:
                trial.publish(sent)
                trial.reopen()
                received = trial.read(trial.subscribe(), len(sent))
            else:
                trial.reopen()
                received = trial.read(trial.feed(sent), len(sent))

        require_same(sent, received)

    @needs(persistent=True, exactly_once=False)
    def test_reading_goes_on_after_a_close(self) -> None:
        """Expect all messages over many subscriptions, each reading a part (TestContinueAfterSubscribeClose)."""
        with self.trial() as trial:
            total, part = trial.volume(5000, 50), trial.volume(1000, 25)
            sent = make_messages(total, keys=20)
            trial.publish(sent)
            seen: dict[str, Message] = {}
            for _ in range(4 * total // part):
                trial.reopen()
                # Without a group everybody begins at the beginning.
                count = part if trial.features.consumer_groups else len(seen) + part
                received = trial.read(trial.subscribe(), min(count, total))
                seen.update({message.uuid: message for message in received})
                if len(seen) == total:
                    break

        require_same(sent, list(seen.values()))

    def test_context_ends_with_the_message(self) -> None:
        """Expect a context to end when its message is settled, and with the subscription (TestMessageCtx)."""
        with self.trial() as trial:
            timeout = trial.features.idle_timeout
            first, second = receive(trial.feed(make_messages(2, keys=1)), 2, timeout)
            contexts = first.context, second.context
            were_alive = not any(context.is_cancelled for context in contexts)
            was_acked = first.ack()
            first_ended = eventually(lambda: contexts[0].is_cancelled, timeout)
            second_lived_on = not contexts[1].is_cancelled
            trial.reopen()
            second_ended = eventually(lambda: contexts[1].is_cancelled, timeout)

        require(were_alive, "a context was cancelled before its message was acked")
        require(was_acked, "the first ack of a message returned False")
        require(first_ended, "the context of an acked message did not end")
        require(second_lived_on, "the ack of one message ended the context of another")
        require(second_ended, "the context did not end with its subscription")

    def test_subscription_that_leaves_at_once_takes_nothing_with_it(self) -> None:
        """Expect all messages on a second subscription although a first one nacked and left (TestSubscribeCtx)."""
        with self.trial() as trial:
            sent = make_messages(20)
            subscription = trial.feed(sent)
            for message in receive(subscription, 1, trial.features.idle_timeout):
                message.nack()
            subscription.close()
            has_ended = _ends(subscription, trial.features.idle_timeout)
            received = trial.read(trial.subscribe() if trial.features.persistent else trial.feed(sent), len(sent))

        require(has_ended, "receive() raised no SubscriptionClosed after the close")
        require_same(sent, received)


def _ends(subscription: Subscription, timeout: float) -> bool:
    """Receive what is left; returns whether the end came within *timeout* seconds without a message."""
    try:
        while subscription.receive(100, timeout):
            pass
    except SubscriptionClosed:
        return True
    return False
