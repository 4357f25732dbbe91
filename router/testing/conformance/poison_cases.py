"""Messages that nobody can handle, with the pub/sub as source and as poison sink. Watermill's suite has no such cases."""

from __future__ import annotations

from ...delivery.message import Message
from ...errors import PermanentError
from ..recording_handler import RecordingHandler
from ..running import eventually
from .base import Cases
from .checks import make_messages, require
from .coming_back import come_back, read_up_to_now
from .features import needs
from .holder import Holder
from .routing import MAX_REDELIVERIES, routed
from .trial import Trial


class PoisonCases(Cases):
    """Records in a poison topic."""

    def test_message_that_cannot_be_handled_becomes_one_record(self) -> None:
        """Expect a permanent error to put the message into the poison topic at once, and the others to be handled."""
        with self.trial() as trial:
            calls, records = _poisoned(trial, PermanentError("no event"), make_messages(3, keys=1))

        require(sorted(calls) == [b"message-0", b"message-1", b"message-2"], f"handled otherwise: {calls}")
        require_record(records, "no event")

    def test_message_that_is_never_handled_is_poisoned_at_the_limit(self) -> None:
        """Expect as many redeliveries as the router allows, then a record, and the others to be handled."""
        with self.trial() as trial:
            calls, records = _poisoned(trial, ValueError("never"), make_messages(3, keys=1))

        attempts = [b"message-1"] * (1 + MAX_REDELIVERIES)
        require(sorted(calls) == [b"message-0", *attempts, b"message-2"], f"handled otherwise: {calls}")
        require_record(records, "never")

    @needs(persistent=True, consumer_groups=True)
    def test_part_of_a_batch_that_fails_becomes_one_record_and_none_of_it_comes_again(self) -> None:
        """Expect a message that its worker cannot finish to be poisoned with the reason, and the others to be committed."""
        with self.trial() as trial:
            sent = make_messages(3, keys=1)
            holder = Holder()
            topic = trial.new_topic()
            trial.publish(sent)
            with routed(trial, holder.handler, worker=holder.worker, poison_topic=topic):
                eventually(lambda: len(holder.holds) == len(sent), trial.features.idle_timeout)
                holder.holds[1].fail(ValueError("half a batch"))
                holder.release()
            records = read_up_to_now(trial, trial.watch(topic), topic, [sent[1].key])
            came_again = come_back(trial, sent)

        require(len(holder.holds) == len(sent), f"handled otherwise: {holder.handler.payloads}")
        require(not came_again, f"{len(came_again)} messages of the batch came again: {came_again}")
        require_record(records, "half a batch")


def _poisoned(trial: Trial, error: Exception, sent: list[Message]) -> tuple[list[bytes], list[Message]]:
    """Handle *sent*, the second with *error*; returns the payloads that the handler saw, and the poison records."""

    def handle(message: Message) -> None:
        if message.uuid == sent[1].uuid:
            raise error

    topic = trial.new_topic()
    records = trial.watch(topic)
    handler = RecordingHandler(answer=handle)
    with routed(trial, handler, poison_topic=topic):
        trial.publish(sent)
        last = sent[-1].payload
        eventually(lambda: last in handler.payloads, trial.features.idle_timeout)
    return handler.payloads, read_up_to_now(trial, records, topic, [sent[1].key])


def require_record(records: list[Message], reason: str) -> None:
    """Require that *records* of a poison topic are one, of the second message and with *reason*."""
    require(len(records) == 1, f"there are {len(records)} poison records, not 1")
    (record,) = records
    require(record.payload == b"message-1", f"the poison record holds {record.payload!r}")
    found = record.metadata.get("reason_poisoned", "")
    require(reason in found, f"the poison record gives the reason {found!r}, not {reason!r}")
