"""What a group finds when it comes back: neither too much nor too little. Watermill's suite has no such cases."""

from __future__ import annotations

from collections.abc import Sequence

from ...message import Message
from ..recording_handler import RecordingHandler
from .base import Cases
from .checks import make_messages, require
from .features import needs
from .routing import routed
from .trial import Trial


class CommitCases(Cases):
    """The committed position of a group."""

    @needs(persistent=True, consumer_groups=True)
    def test_finished_messages_never_come_again(self) -> None:
        """Expect a group to go on after everything that a router had finished when it closed."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(1000, 100), keys=10)
            trial.publish(sent)
            handler = RecordingHandler()
            with routed(trial, handler):
                handler.wait_calls(len(sent), trial.features.idle_timeout)
            came_again = _come_back(trial, sent)

        require(
            len(handler.messages) == len(sent), f"{len(handler.messages)} of {len(sent)} messages were handled once"
        )
        require(not came_again, f"{len(came_again)} finished messages came again: {came_again[:5]}")

    @needs(persistent=True, consumer_groups=True)
    def test_held_message_comes_again(self) -> None:
        """Expect a message that was held at the close, although acked, to come again, and none before it."""
        with self.trial() as trial:
            sent = make_messages(3, keys=1)
            trial.publish(sent)

            def hold_second(message: Message) -> None:
                if message.uuid == sent[1].uuid:
                    message.hold(self)

            handler = RecordingHandler(answer=hold_second)
            with routed(trial, handler):
                handler.wait_calls(len(sent), trial.features.idle_timeout)
            came_again = _come_back(trial, sent)

        require(sent[1].uuid in came_again, "the commit went past a message that was held: it did not come again")
        require(sent[0].uuid not in came_again, "a message finished before the held one came again")

    @needs(persistent=True, consumer_groups=True)
    def test_message_without_an_ack_comes_again(self) -> None:
        """Expect what was not acked at the close to come again although a later one was, and none before it."""
        with self.trial() as trial:
            sent = make_messages(3, keys=1)
            subscription = trial.feed(sent)
            received: list[Message] = []
            while len(received) < len(sent):
                chunk = subscription.receive(len(sent), trial.features.idle_timeout)
                require(chunk, "not all messages were delivered")
                received.extend(chunk)
            received[0].ack()
            received[2].ack()
            came_again = _come_back(trial, sent)

        require(sent[1].uuid in came_again, "the commit went past a message without an ack: it did not come again")
        require(sent[0].uuid not in came_again, "a finished message came again")


def _come_back(trial: Trial, sent: Sequence[Message]) -> list[str]:
    """Return the uuids of those of *sent* that come to the group again, up to a last message published now.

    The last message has the key, and so the place, of the first.
    """
    trial.reopen()
    last = Message(b"last", key=sent[0].key)
    trial.publish([last])
    subscription = trial.subscribe()
    came: list[str] = []
    while last.uuid not in came:
        chunk = subscription.receive(100, trial.features.idle_timeout)
        require(chunk, "the group did not go on after it came back")
        came.extend(message.uuid for message in chunk)
    return [uuid for uuid in came if uuid != last.uuid]
