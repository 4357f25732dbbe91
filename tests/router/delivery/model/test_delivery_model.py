"""The offset book, the message and its holds against the reference, over random histories."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from millstream.router import Cancelled, Message, OffsetBook, StateError
from tests.router.delivery.model.reference import Epoch, Record
from tests.router.delivery.model.stand_ins import StepSink, delivered, return_chain, routed, start_chain

PLACES = st.integers(min_value=0, max_value=7)
KEYS = st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(min_value=0, max_value=1))
MAX_PENDING = 6


class DeliveryMachine(RuleBasedStateMachine):
    """One partition through several epochs; every step is done to the real objects and to the reference."""

    def __init__(self) -> None:
        super().__init__()
        self.sink = StepSink()
        self.newest = -1
        self.number = 0
        self.past: list[tuple[OffsetBook, Epoch]] = []
        self.messages: list[tuple[Message, Record, Epoch]] = []

    @initialize()
    def assign(self) -> None:
        """Begin an epoch, a little before where the last one committed at the latest."""
        self.assignment = routed(self.sink, epoch=self.number)
        self.number += 1
        self.book = OffsetBook(self.assignment, max_pending=MAX_PENDING)
        self.epoch = Epoch()

    def choose(self, place: int) -> tuple[Message, Record, Epoch]:
        """Return one of the newest messages."""
        return self.messages[-1 - place % len(self.messages)]

    @rule(gaps=st.lists(st.integers(min_value=1, max_value=4), max_size=3))
    def deliver(self, gaps: list[int]) -> None:
        """A chunk arrives, with gaps between its offsets."""
        offsets = []
        for gap in gaps[: self.book.room]:
            self.newest += gap
            offsets.append(self.newest)
        messages = delivered(self.assignment, offsets)
        assert self.book.extend(messages)
        for message in messages:
            record = Record(message.offset)
            self.epoch.records.append(record)
            self.messages.append((message, record, self.epoch))

    @rule(gap=st.integers(min_value=1, max_value=4))
    def reach(self, gap: int) -> None:
        """The end of the partition is reached, somewhat behind its newest message."""
        self.newest += gap
        self.epoch.reached = self.newest + 1
        self.book.reach(self.epoch.reached)

    @precondition(lambda self: self.epoch.records)
    @rule(back=st.integers(min_value=0, max_value=5))
    def rewind(self, back: int) -> None:
        """The broker goes back: the book refuses it and stays as it is."""
        (message,) = delivered(self.assignment, [max(0, self.newest - back)])
        assert not self.book.append(message)

    @precondition(lambda self: self.messages)
    @rule(place=PLACES)
    def start(self, place: int) -> None:
        """A chain begins."""
        message, record, _ = self.choose(place)
        if record.chain == "none" and record.verdict == "undecided":
            start_chain(message)
            record.chain = "running"

    @precondition(lambda self: self.messages)
    @rule(place=PLACES)
    def finish(self, place: int) -> None:
        """A chain returns: an ack, or after a nack a redelivery."""
        message, record, _ = self.choose(place)
        if record.verdict == "nacked":
            message.delivery.restart()
            record.verdict = "undecided"
        elif record.chain == "running":
            return_chain(message)
            record.chain, record.verdict = "returned", "acked"

    @precondition(lambda self: self.messages)
    @rule(place=PLACES, word=st.sampled_from(["acked", "nacked"]))
    def say(self, place: int, word: str) -> None:
        """A handler, or somebody without a router, acks or nacks."""
        message, record, _ = self.choose(place)
        answer = message.ack() if word == "acked" else message.nack()
        assert answer == record.say(word)

    @precondition(lambda self: self.messages)
    @rule(place=PLACES, key=KEYS)
    def hold(self, place: int, key: tuple[str, int]) -> None:
        """An owner holds."""
        message, record, epoch = self.choose(place)
        if record.chain == "returned":
            with pytest.raises(StateError):
                message.delivery.hold(*key, message.assignment)
        elif epoch.is_closed:
            with pytest.raises(Cancelled):
                message.delivery.hold(*key, message.assignment)
        elif not (record.chain == "none" and record.verdict == "acked"):
            assert message.delivery.hold(*key, message.assignment) == record.hold(key)

    @precondition(lambda self: self.messages)
    @rule(place=PLACES, key=KEYS, through_copy=st.booleans())
    def release(self, place: int, key: tuple[str, int], through_copy: bool) -> None:
        """An owner, or somebody who holds nothing, releases."""
        message, record, _ = self.choose(place)
        (message.copy() if through_copy else message).delivery.release(*key)
        record.release(key)

    @precondition(lambda self: self.messages)
    @rule(place=PLACES, key=KEYS)
    def fail(self, place: int, key: tuple[str, int]) -> None:
        """An owner, or somebody who holds nothing, fails."""
        message, record, epoch = self.choose(place)
        message.fail(ValueError(f"{message.offset} by {key}"), *key)
        if not epoch.is_closed:
            record.fail(key)

    @precondition(lambda self: self.messages)
    @rule(place=PLACES)
    def poison(self, place: int) -> None:
        """The chain gives the message to the sink."""
        message, record, epoch = self.choose(place)
        if record.chain == "running" and not epoch.is_closed:
            self.sink.take(message, ValueError("by the chain"))
            record.poison()

    @rule()
    def write(self) -> None:
        """The sink confirms what it could write."""
        before = len(self.sink.records)
        self.sink.write()
        wrote = sum(record.write() for _, record, epoch in self.messages if not epoch.is_closed)
        assert len(self.sink.records) - before == wrote

    @rule()
    def advance(self) -> None:
        """The poll thread looks at the book."""
        assert self.book.advance() == self.epoch.advance()

    @precondition(lambda self: self.epoch.records)
    @rule()
    def reassign(self) -> None:
        """The partition goes and comes back: what was not committed is read again."""
        self.book.advance()
        self.epoch.advance()
        self.assignment.close()
        self.epoch.is_closed = True
        self.past.append((self.book, self.epoch))
        if self.book.next_offset is not None:
            self.newest = self.book.next_offset - 1
        else:
            self.newest = self.epoch.records[0].offset - 1
        self.assign()

    @invariant()
    def never_ahead(self) -> None:
        """The commit is where the reference has it, and never past a message that is not settled."""
        for book, epoch in [*self.past, (self.book, self.epoch)]:
            if epoch.is_closed:
                book.advance()
            assert book.next_offset == epoch.next_offset
            assert book.settled == epoch.gone
            assert book.pending == len(epoch.records) - epoch.gone

    @invariant()
    def every_flag_agrees(self) -> None:
        """What a message says of itself is what was said to it."""
        for message, record, epoch in self.messages:
            assert message.is_settled == record.is_settled
            assert message.is_void == (record.is_void or epoch.is_closed)
            assert message.is_held == record.is_held
            assert len(message.failures) == record.failures

    @invariant()
    def one_record_each(self) -> None:
        """No message is poisoned twice."""
        written = [id(message) for message, _ in self.sink.records]
        assert len(written) == len(set(written))

    def teardown(self) -> None:
        """When everybody has finished, everything that is still ours is committed."""
        for message, record, epoch in self.messages:
            if epoch.is_closed:
                continue
            for key in record.holds:
                message.delivery.release(*key)
            if message.is_nacked:
                message.delivery.restart()
            if record.chain == "running":
                return_chain(message)
            message.ack()
        self.sink.write()
        self.book.advance()

        assert self.book.pending == 0
        assert not self.epoch.records or self.book.next_offset == max(
            self.epoch.records[-1].offset + 1, self.epoch.reached
        )


TestDelivery = DeliveryMachine.TestCase
TestDelivery.settings = settings(
    max_examples=50,
    stateful_step_count=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.soak
class TestDeliveryAtLength(DeliveryMachine.TestCase):
    """The same over many more histories."""

    settings = settings(TestDelivery.settings, max_examples=1000)
