"""What a group finds when it comes back: neither too much nor too little. Watermill's suite has no such cases."""

from __future__ import annotations

from ...delivery.message import Message
from ..recording_handler import RecordingHandler
from .base import Cases
from .checks import NAMED, make_messages, require
from .coming_back import come_back
from .features import needs
from .holder import Holder
from .reading import receive
from .routing import routed


class CommitCases(Cases):
    """The committed position of a group."""

    @needs(persistent=True, consumer_groups=True, crashable=True)
    def test_acked_messages_never_come_again_after_a_crash(self) -> None:
        """Expect what was acked to be committed by itself: a reader that is killed has no chance to do it at the end."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(1000, 100), keys=10)
            trial.publish(sent)
            self.crash_reader(trial.group, trial.topic, len(sent))
            came_again = come_back(trial, sent)

        require(not came_again, f"{len(came_again)} acked messages came again: {came_again[:NAMED]}")

    @needs(persistent=True, consumer_groups=True)
    def test_finished_messages_never_come_again(self) -> None:
        """Expect a group to go on after everything that a router had finished when it closed."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(1000, 100), keys=10)
            trial.publish(sent)
            handler = RecordingHandler()
            with routed(trial, handler):
                handler.wait_calls(len(sent), trial.features.idle_timeout)
            came_again = come_back(trial, sent)

        require(
            len(handler.messages) == len(sent), f"{len(handler.messages)} of {len(sent)} messages were handled once"
        )
        require(not came_again, f"{len(came_again)} finished messages came again: {came_again[:NAMED]}")

    @needs(persistent=True, consumer_groups=True)
    def test_what_a_worker_flushes_at_the_close_never_comes_again(self) -> None:
        """Expect messages that a worker lets go only when the router drains it to be committed before the router leaves."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(1000, 100), keys=10)
            trial.publish(sent)
            holder = Holder()
            with routed(trial, holder.handler, worker=holder.worker):
                holder.handler.wait_calls(len(sent), trial.features.idle_timeout)
            came_again = come_back(trial, sent)

        require(len(holder.holds) == len(sent), f"{len(holder.holds)} of {len(sent)} messages were handled once")
        require(not came_again, f"{len(came_again)} flushed messages came again: {came_again[:NAMED]}")

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
            came_again = come_back(trial, sent)

        require(sent[1].uuid in came_again, "the commit went past a message that was held: it did not come again")
        require(sent[0].uuid not in came_again, "a message finished before the held one came again")

    @needs(persistent=True, consumer_groups=True)
    def test_message_without_an_ack_comes_again(self) -> None:
        """Expect what was not acked at the close to come again although a later one was, and none before it."""
        with self.trial() as trial:
            sent = make_messages(3, keys=1)
            first, _, third = receive(trial.feed(sent), len(sent), trial.features.idle_timeout)
            first.ack()
            third.ack()
            came_again = come_back(trial, sent)

        require(sent[1].uuid in came_again, "the commit went past a message without an ack: it did not come again")
        require(sent[0].uuid not in came_again, "a finished message came again")
