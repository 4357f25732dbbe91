"""Order within a key, and what a message that is not finished holds back."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence

from ...delivery.message import Message
from ..recording_handler import RecordingHandler
from ..running import eventually
from .base import Cases
from .checks import make_messages, require, require_same
from .features import needs
from .routing import routed
from .trial import QUIET_SECONDS

KEYS = 16
UNFINISHED_SECONDS = 0.1
"""How long a later message must not be handled; the same as in the original suite."""
NEXT_SECONDS = 5.0
"""Within which it must be handled then; the same as in the original suite."""


class OrderCases(Cases):
    """Order, with and without a router."""

    @needs(guaranteed_order=True)
    def test_messages_of_one_key_arrive_in_order(self) -> None:
        """Expect the order of publishing for each of 16 keys, over several subscribers (TestPublishSubscribeInOrder)."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(1000, 100), keys=KEYS)
            count = 1 if trial.features.guaranteed_order_with_single_subscriber else 10
            subscriptions = trial.subscribe_many(count)
            trial.publish(sent)
            received = trial.read_merged(subscriptions, len(sent))

        require_same(sent, received)
        expected, found = _by_key(sent), _by_key(received)
        wrong = [key for key in expected if expected[key] != found[key]]
        require(not wrong, f"not in the order they were published: the messages of {wrong}")

    @needs(guaranteed_order=True)
    def test_no_later_message_is_handled_while_one_is_unfinished(self) -> None:
        """Expect a router with free threads to keep back what follows an unfinished message, of its key only (TestNoAck)."""
        with self.trial() as trial:
            timeout = trial.features.idle_timeout
            is_released = threading.Event()
            first, second = make_messages(2, keys=1)
            others = make_messages(KEYS, name="other", keys=KEYS)[1:]

            def wait_once(message: Message) -> None:
                if message.uuid == first.uuid:
                    is_released.wait(2 * timeout)

            handler = RecordingHandler(answer=wait_once)
            with routed(trial, handler, concurrency=4):
                trial.publish([first, second])
                came = handler.wait_calls(1, timeout)
                trial.publish(others)
                went_on = handler.wait_calls(2, timeout)
                was_called = eventually(lambda: second.payload in handler.payloads, UNFINISHED_SECONDS)
                is_released.set()
                came_next = eventually(lambda: second.payload in handler.payloads, NEXT_SECONDS)
                count = 2 + len(others)
                has_all = handler.wait_calls(count, timeout)
                has_more = trial.features.exactly_once and handler.wait_calls(count + 1, QUIET_SECONDS)

        require(came, "the first message never came")
        require(went_on, "the messages of other keys did not go on while one was unfinished")
        require(not was_called, "the second message was handled while the first was unfinished")
        require(came_next, f"the second message did not come within {NEXT_SECONDS:g} s")
        require(has_all and not has_more, f"handled otherwise: {handler.payloads}")

    @needs(guaranteed_order=True)
    def test_failed_message_comes_again_before_any_later_one(self) -> None:
        """Expect a router to deliver a failed message again before the next of its key."""
        with self.trial() as trial:
            handler = RecordingHandler([ValueError("not yet"), ValueError("not yet")])
            sent = make_messages(3, keys=1)
            with routed(trial, handler):
                trial.publish(sent)
                handler.wait_calls(5, trial.features.idle_timeout)

        first, second, third = (message.uuid for message in sent)
        called = [message.uuid for message in handler.messages]
        require(called == [first, first, first, second, third], f"handled in another order: {handler.payloads}")


def _by_key(messages: Sequence[Message]) -> dict[bytes | None, list[str]]:
    uuids: dict[bytes | None, list[str]] = defaultdict(list)
    for message in messages:
        uuids[message.key].append(message.uuid)
    return uuids
