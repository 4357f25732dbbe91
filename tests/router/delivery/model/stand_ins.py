"""What stands in for a running router in tests of its values: it sets the same flags, one step at a time.

The only place outside the router that writes the flags of `millstream.router.delivery.settlement`; the tests go by public names.
"""

from collections.abc import Iterable

from millstream.router import Assignment, Message
from millstream.router.delivery.route import Route
from millstream.router.delivery.settlement import ACKED, RARE, RETURNED, RUNNING, Failure


def start_chain(message: Message) -> None:
    """Do what the router does before the first middleware sees *message*."""
    message._chain = RUNNING


def return_chain(message: Message) -> None:
    """Do what the router does when the chain has returned without an error: that is an ack."""
    message._verdict = ACKED
    message._chain = RETURNED


def handle(*messages: Message) -> None:
    """Run each message through a chain that does nothing."""
    for message in messages:
        start_chain(message)
        return_chain(message)


class StepSink:
    """A poison sink that writes when a test says so."""

    def __init__(self) -> None:
        self.records: list[tuple[Message, BaseException]] = []
        """What was written, with the error it was written for."""
        self.told = 0
        """How often somebody said that a hold was failed."""
        self._waiting: list[Message] = []

    def take(self, message: Message, error: BaseException) -> None:
        """Take over *message* while its chain runs."""
        with RARE:
            extra = message._make_extra()
            if extra.is_void:
                return
            extra.failures.append(Failure(error))
            extra.is_void = True
        self._waiting.append(message)

    def take_failed(self, message: Message) -> None:
        """Take over *message* once its other holds are in."""
        self.told += 1
        self._waiting.append(message)

    def write(self) -> None:
        """Write what is ready, and settle it."""
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            extra = message._make_extra()
            if extra.is_confirmed or (message.assignment is not None and message.assignment.is_closed):
                continue
            if message.is_held and not extra.is_void:
                self._waiting.append(message)
                continue
            self.records.append((message, message.failures[0].error))
            extra.is_void = extra.is_confirmed = True


def routed(sink: StepSink | None = None, partition: int = 0, epoch: int = 0) -> Assignment:
    """Return an assignment whose handler has *sink*."""
    assignment = Assignment("t", partition, epoch)
    assignment.route = Route("h", "t", "S", sink=sink)
    return assignment


def delivered(assignment: Assignment, offsets: Iterable[int]) -> list[Message]:
    """Return a message for each offset, as a subscription makes them."""
    return [
        Message(
            b"%d" % offset, topic=assignment.topic, partition=assignment.partition, offset=offset, assignment=assignment
        )
        for offset in offsets
    ]
