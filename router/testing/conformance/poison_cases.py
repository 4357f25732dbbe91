"""Messages that nobody can handle, with the pub/sub as source and as poison sink. Watermill's suite has no such cases."""

from __future__ import annotations

from ...errors import PermanentError
from ...message import Message
from ..recording_handler import RecordingHandler
from ..running import eventually
from .base import Cases
from .checks import make_messages, require
from .routing import MAX_REDELIVERIES, routed
from .trial import Trial


class PoisonCases(Cases):
    """Records in a poison topic."""

    def test_message_that_cannot_be_handled_becomes_one_record(self) -> None:
        """Expect a permanent error to put the message into the poison topic at once, and the others to be handled."""
        with self.trial() as trial:
            calls, records = _poisoned(trial, PermanentError("no event"), make_messages(3, keys=1))

        require(sorted(calls) == [b"message-0", b"message-1", b"message-2"], f"handled otherwise: {calls}")
        _require_record(records, "no event")

    def test_message_that_is_never_handled_is_poisoned_at_the_limit(self) -> None:
        """Expect as many redeliveries as the router allows, then a record, and the others to be handled."""
        with self.trial() as trial:
            calls, records = _poisoned(trial, ValueError("never"), make_messages(3, keys=1))

        attempts = [b"message-1"] * (1 + MAX_REDELIVERIES)
        require(sorted(calls) == [b"message-0", *attempts, b"message-2"], f"handled otherwise: {calls}")
        _require_record(records, "never")


def _poisoned(trial: Trial, error: Exception, sent: list[Message]) -> tuple[list[bytes], list[Message]]:
    """Handle *sent*, the second with *error*; returns the payloads that the handler saw, and the poison records."""

    def handle(message: Message) -> None:
        if message.uuid == sent[1].uuid:
            raise error

    topic = trial.create(f"{trial.topic}-poison")
    records = trial.subscribe(topic)
    handler = RecordingHandler(answer=handle)
    with routed(trial, handler, poison_topic=topic):
        trial.publish(sent)
        poisoned = trial.read(records, 1)
        last = sent[-1].payload
        eventually(lambda: last in handler.payloads, trial.features.idle_timeout)
    return handler.payloads, poisoned


def _require_record(records: list[Message], reason: str) -> None:
    require(len(records) == 1, f"there are {len(records)} poison records, not 1")
    (record,) = records
    require(record.payload == b"message-1", f"the poison record holds {record.payload!r}")
    found = record.metadata.get("reason_poisoned", "")
    require(reason in found, f"the poison record gives the reason {found!r}, not {reason!r}")
