"""What stands in for a running router in tests of its values: it says the same of a delivery, one step at a time."""

from collections.abc import Iterable

from millstream.router import Assignment, Message
from millstream.router.delivery.route import Route
from millstream.router.delivery.run import MessageRun


def start_chain(message: Message) -> None:
    """Do what the router does before the first middleware sees *message*."""
    message.delivery.begin()


def return_chain(message: Message) -> None:
    """Do what the router does when the chain has returned without an error: that is an ack."""
    message.delivery.leave_to_sink() if message.is_nacked else message.delivery.finish()


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
        if message.delivery.poison(error):
            self._waiting.append(message)

    def take_failed(self, message: Message) -> None:
        """Take over *message* once its other holds are in."""
        self.told += 1
        self._waiting.append(message)

    def write(self) -> None:
        """Write what is ready, and settle it."""
        waiting, self._waiting = self._waiting, []
        for message in {
            id(message): message for message in waiting
        }.values():  # given by its chain and by a hold: one record
            is_taken = message.delivery.is_poisoned
            if message.is_settled or (message.assignment is not None and message.assignment.is_closed):
                continue
            if message.is_held and not is_taken:
                self._waiting.append(message)
                continue
            self.records.append((message, message.failures[0].error))
            message.delivery.poison_failed()
            message.delivery.confirm()


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


def delivered_run(assignment: Assignment, first: int, count: int) -> MessageRun:
    """Return a run of *count* messages from the offset *first* on."""
    payloads = [b"%d" % offset for offset in range(first, first + count)]
    return MessageRun(payloads, assignment, first, first + count - 1)


def take(run: MessageRun, owner: object = None) -> MessageRun:
    """Let a handler take *run*, which adds it to the worker *owner*, if there is one; returns it."""
    run.delivery.begin()
    if owner is not None:
        run.hold(owner)
    run.finish()
    return run
