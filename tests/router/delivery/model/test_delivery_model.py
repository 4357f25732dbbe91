"""The offset book, messages one by one and in runs, and their holds against the reference, over random histories.

The reference knows nothing of runs: it has a record for each message. So a run does what its messages would.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from millstream.router import Cancelled, Message, OffsetBook, StateError
from millstream.router.delivery.run import MessageRun, first_offset
from tests.router.delivery.model.reference import Epoch, Record
from tests.router.delivery.model.stand_ins import (
    StepSink,
    delivered,
    delivered_run,
    return_chain,
    routed,
    start_chain,
)

PLACES = st.integers(min_value=0, max_value=7)
OWNERS = st.sampled_from(["a", "b", "c"])
KEYS = st.tuples(OWNERS, st.integers(min_value=0, max_value=1))
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
        self.runs: list[tuple[MessageRun, list[Record], Epoch]] = []
        """Those that are whole."""
        self.begun: list[tuple[MessageRun, list[Record]]] = []
        """Those that a handler has in hand, whatever others have made of them meanwhile."""

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

    @rule(gap=st.integers(min_value=1, max_value=4), count=st.integers(min_value=1, max_value=5))
    def deliver_run(self, gap: int, count: int) -> None:
        """A run of messages arrives."""
        count = min(count, self.book.room)
        if count == 0:
            return
        run = delivered_run(self.assignment, self.newest + gap, count)
        assert self.book.append_run(run)
        self.newest = run.offset
        records = [Record(offset) for offset in range(run.first, run.offset + 1)]
        self.epoch.records += records
        self.runs.append((run, records, self.epoch))

    @precondition(lambda self: self.runs)
    @rule(place=PLACES, count=st.integers(min_value=1, max_value=4))
    def cut(self, place: int, count: int) -> None:
        """A batch ends within a run."""
        run, records, epoch = self.runs[-1 - place % len(self.runs)]
        if count <= run.more:
            self.runs.remove((run, records, epoch))
            head, tail = run.cut(count)
            self.runs += [(head, records[:count], epoch), (tail, records[count:], epoch)]

    @precondition(lambda self: self.runs)
    @rule(place=PLACES)
    def divide(self, place: int) -> None:
        """One of its messages goes another way."""
        run, records, epoch = self.runs.pop(-1 - place % len(self.runs))
        messages = run.divide()
        assert [message.offset for message in messages] == [record.offset for record in records]
        self.messages += [(message, record, epoch) for message, record in zip(messages, records, strict=True)]

    @precondition(lambda self: self.runs)
    @rule(place=PLACES, owner=st.sampled_from(["a", ""]))
    def take_run(self, place: int, owner: str) -> None:
        """A handler gets a run, and mostly gives it to a worker."""
        run, records, epoch = self.runs[-1 - place % len(self.runs)]
        if records[0].chain == "none" and records[0].verdict == "undecided":
            run.delivery.begin()
            self.begun.append((run, records))
            for record in records:
                record.chain = "running"
            if owner and not epoch.is_closed:
                assert run.hold(owner)
                for record in records:
                    assert record.hold((owner, 0))

    @precondition(lambda self: self.begun)
    @rule(place=PLACES, is_taken=st.booleans())
    def end_run(self, place: int, is_taken: bool) -> None:
        """The handler has taken a run, of which others may have made pieces; or it has not, unless somebody holds it."""
        run, records = self.begun.pop(-1 - place % len(self.begun))
        if is_taken or any(record.chain == "returned" or record.verdict != "undecided" for record in records):
            run.finish()
            for record in records:
                if record.verdict != "nacked":
                    record.chain, record.verdict = "returned", "acked"
        elif any(record.holds for record in records):
            assert not run.refuse()
            self.begun.append((run, records))
        else:
            assert run.refuse()
            for record in records:
                record.chain = "none"

    @precondition(lambda self: self.runs)
    @rule(place=PLACES, owner=OWNERS)
    def hold_run(self, place: int, owner: str) -> None:
        """A worker holds a run; only one may."""
        run, records, epoch = self.runs[-1 - place % len(self.runs)]
        first, key = records[0], (owner, 0)
        if first.chain == "returned" or (first.holds and key not in first.holds):
            with pytest.raises(StateError):
                run.hold(owner)
        elif epoch.is_closed:
            with pytest.raises(Cancelled):
                run.hold(owner)
        elif first.chain == "running":
            is_new = [record.hold(key) for record in records]
            assert run.hold(owner) == all(is_new) == any(is_new)

    @precondition(lambda self: self.runs)
    @rule(place=PLACES, owner=OWNERS)
    def release_run(self, place: int, owner: str) -> None:
        """A worker, or somebody who holds nothing, releases a run."""
        run, records, _ = self.runs[-1 - place % len(self.runs)]
        run.delivery.release(owner)
        for record in records:
            record.release((owner, 0))

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
        """The poll thread looks at the book; what is oldest there is what the reference has there."""
        assert self.book.advance() == self.epoch.advance()
        oldest, left = self.book.oldest, self.epoch.records[self.epoch.gone :]
        assert (None if oldest is None else first_offset(oldest)) == (left[0].offset if left else None)

    @precondition(lambda self: self.epoch.records)
    @rule(is_revoked=st.booleans())
    def reassign(self, is_revoked: bool) -> None:
        """The partition goes, in order or at once, and comes back: what was not committed is read again."""
        first = self.epoch.records[0].offset
        self.book.advance()
        self.epoch.advance()
        if is_revoked:
            assert self.book.discard_unstarted() == self.epoch.discard_unstarted()
            self.advance()
        self.assignment.close()
        self.epoch.is_closed = True
        self.past.append((self.book, self.epoch))
        self.newest = (first if self.book.next_offset is None else self.book.next_offset) - 1
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
        for run, records, epoch in self.runs:
            assert {run.delivery.is_settled} == {record.is_settled for record in records}
            assert {run.delivery.is_held} == {record.is_held for record in records}
            assert run.is_void == epoch.is_closed

    @invariant()
    def one_record_each(self) -> None:
        """No message is poisoned twice."""
        written = [id(message) for message, _ in self.sink.records]
        assert len(written) == len(set(written))

    def teardown(self) -> None:
        """When everybody has finished, everything that is still ours is committed."""
        for run, _ in self.begun:
            run.finish()
        while self.runs:
            self.divide(0)
        for message, record, epoch in self.messages:
            if epoch.is_closed:
                continue
            for key in record.holds:
                message.delivery.release(*key)
            if message.is_nacked:
                message.delivery.restart()
            if message.delivery.is_running:
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
    max_examples=30,
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
