"""The broker that a test drives, with messages in runs, as Kafka delivers them."""

from __future__ import annotations

from ..delivery.message import Assigned, Message
from ..delivery.offset_book import OffsetBook
from ..delivery.outliving import made_again
from ..delivery.run import Entry, MessageRun
from .fake_subscription import FakeSubscription


class _FakeRun(MessageRun, gc=False, eq=False, kw_only=True):
    """A run of messages that the test has as well: once it is divided their deliveries are those of the pieces."""

    messages: list[Message]

    def make_messages(self) -> list[Message]:
        """Return the messages themselves."""
        return self.messages

    def make_parts(self, count: int) -> tuple[MessageRun, MessageRun]:
        """Return the runs of the first *count* messages and of the others."""
        return _run_of(self.messages[:count]), _run_of(self.messages[count:])

    def make_again(self, assignment: Assigned) -> MessageRun:
        """Return a run of messages with the same content."""
        return _run_of([made_again(message, assignment) for message in self.messages])


def _run_of(messages: list[Message]) -> _FakeRun:
    first, last = messages[0], messages[-1]
    assignment = first.assignment
    if assignment is None:
        raise ValueError("a run is of messages that came by an assignment")
    payloads = [message.payload for message in messages]
    return _FakeRun(payloads, assignment, first.offset, last.offset, messages=messages)


class FakeRunSubscription(FakeSubscription):
    """Delivers as a run what one `deliver` brings; implements `DeliversRuns`."""

    def _take_in(self, book: OffsetBook, messages: list[Message]) -> None:
        run = _run_of(messages)
        book.append_run(run)
        self._buffer.append(run)

    def receive_entries(self, max_messages: int, timeout: float) -> list[Entry]:
        """Return what was delivered; see `DeliversRuns.receive_entries`."""
        return self._receive(max_messages, timeout)

    def _take_out(self, max_messages: int) -> list[Entry]:
        taken: list[Entry] = []
        while self._buffer and max_messages > 0:
            entry = self._buffer.popleft()
            if isinstance(entry, MessageRun) and 1 + entry.more > max_messages:
                entry, rest = entry.cut(max_messages)
                self._buffer.appendleft(rest)
            taken.append(entry)
            max_messages -= 1 + entry.more
        return taken
