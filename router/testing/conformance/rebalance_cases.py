"""What a member of a group finishes before its share goes to another one. Watermill's suite has no such cases."""

from __future__ import annotations

import threading

from ...clock import MONOTONIC
from ...delivery.message import Message
from ..recording_handler import RecordingHandler
from ..running import eventually
from .base import Cases
from .checks import ConformanceError, make_messages, require, require_same
from .features import needs
from .holder import Holder
from .routing import routed
from .trial import Trial

KEYS = 16
"""Enough that a second member gets some of them, whatever the hash."""
THREADS = 4
"""Of the first member, each with a message of another key in hand: some of them are in the share that goes."""
ROUND_SECONDS = 0.2
"""Between messages to a group whose second member has nothing yet."""
FINISH_SECONDS = 0.2
"""What a handler still needs once its message was called off: who does not wait for it commits without it."""


class RebalanceCases(Cases):
    """A second member joins while the first has messages in hand."""

    @needs(consumer_groups=True, persistent=True, require_single_instance=False)
    def test_what_a_worker_holds_is_flushed_before_another_member_gets_its_share(self) -> None:
        """Expect a worker to be asked for what it holds: nothing is lost, and nothing comes twice if promised."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(1000, 100), keys=KEYS)
            trial.publish(sent)
            holder, second = Holder(), RecordingHandler()
            first = holder.handler
            with routed(trial, first, worker=holder.worker):
                first.wait_calls(len(sent), trial.features.idle_timeout)
                trial.open()
                with routed(trial, second):
                    sent += publish_until_called(trial, second)
                    wait_for_all(trial, sent, first, second)

        require_handled(trial, sent, first, second)

    @needs(consumer_groups=True, persistent=True, require_single_instance=False)
    def test_message_in_a_slow_handler_is_not_handled_by_another_member(self) -> None:
        """Expect a member that joins to wait for the handlers that run: nothing is lost, and nothing comes twice if promised."""
        with self.trial() as trial:
            sent = make_messages(trial.volume(1000, 100), keys=KEYS)
            trial.publish(sent)
            second = RecordingHandler()

            def be_slow_at_first(message: Message) -> None:
                if len(first.messages) <= THREADS:
                    # What has the share that stays is never called off: then the second member gets the others meanwhile.
                    eventually(lambda: message.context.is_cancelled or second.messages, trial.features.idle_timeout)
                    threading.Event().wait(FINISH_SECONDS)

            first = RecordingHandler(answer=be_slow_at_first)
            with routed(trial, first, concurrency=THREADS):
                first.wait_calls(THREADS, trial.features.idle_timeout)
                trial.open()
                with routed(trial, second):
                    wait_for_all(trial, sent, first, second)

        require(second.messages, "the second member of the group got nothing")
        require_handled(trial, sent, first, second)


def publish_until_called(trial: Trial, handler: RecordingHandler) -> list[Message]:
    """Publish to every key, again and again, until *handler* has got something; returns the messages."""
    published: list[Message] = []
    deadline = MONOTONIC.now() + trial.features.idle_timeout
    while not handler.wait_calls(1, ROUND_SECONDS):
        if MONOTONIC.now() >= deadline:
            raise ConformanceError("the second member of the group got nothing")
        messages = make_messages(KEYS, name=f"later-{len(published)}", keys=KEYS)
        trial.publish(messages)
        published += messages
    return published


def wait_for_all(trial: Trial, sent: list[Message], *handlers: RecordingHandler) -> None:
    """Wait until *handlers* together have got every message."""

    def missing() -> set[str]:
        return {message.uuid for message in sent} - {message.uuid for each in handlers for message in each.messages}

    eventually(lambda: not missing(), trial.features.idle_timeout)
    require(not missing(), f"{len(missing())} of {len(sent)} messages came to no member of the group")


def require_handled(trial: Trial, sent: list[Message], *handlers: RecordingHandler) -> None:
    """Require that *handlers* together have handled everything, and once where that was promised."""
    handled = [message for each in handlers for message in each.messages]
    if not trial.features.clean_handover:
        handled = list({message.uuid: message for message in handled}.values())
    require_same(sent, handled)
