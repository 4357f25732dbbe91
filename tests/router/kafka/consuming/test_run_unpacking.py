"""Records unpacked in runs are the messages that they would be one by one."""

import math

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE, KafkaError
from hypothesis import given
from hypothesis import strategies as st

from millstream.router import Assignment, MessageTooLarge
from millstream.router.delivery.run import MessageRun, messages_of
from millstream.router.kafka.consuming.besides import SAMPLE_EVERY
from millstream.router.kafka.consuming.delivery_buffer import DeliveryBuffer, count_messages
from millstream.router.kafka.consuming.oversize import set_aside
from millstream.router.kafka.consuming.owned_partitions import OwnedPartitions
from millstream.router.kafka.consuming.received import ReceivedRun
from millstream.router.kafka.consuming.unpacking import Unpacker
from tests.router.delivery.model.stand_ins import StepSink, delivered_run, routed, take
from tests.router.kafka.consuming.test_besides import UUID, CountedRecord
from tests.router.kafka.scripted_consumer import TOPIC

OURS, NOT_OURS = (0, 1), 2
FIELDS = {
    "partition": [*OURS, 0, 0, NOT_OURS],
    "step": [1, 1, 1, 1, 3, 10, 0, -2],
    "value": [b"x", None, b"", b"y" * 20],
    "key": [None, b"", b"key"],
    "headers": [None, [], [UUID], [("a", b"1"), UUID, ("a", b"\xff")], [("unreadable", b"")]],
    "timestamp": [
        (TIMESTAMP_CREATE_TIME, 1_700_000_000_250),
        (TIMESTAMP_NOT_AVAILABLE, 0),
        (TIMESTAMP_CREATE_TIME, -1),
    ],
    "error": [*[None] * 12, KafkaError._PARTITION_EOF, KafkaError._ALL_BROKERS_DOWN],
}
"""What a record may have in each."""


def _record(number):
    fields = {}
    for name, values in FIELDS.items():
        number, place = divmod(number, len(values))
        fields[name] = values[place]
    return fields


RECORDS = st.integers(min_value=0, max_value=math.prod(map(len, FIELDS.values())) - 1).map(_record)
"""One number for each: to draw every field would take ten times as long as all the rest."""
POLLS = st.lists(st.lists(RECORDS, max_size=8), max_size=5)
MIDDLES = st.lists(st.integers(min_value=1, max_value=6), max_size=6)
"""Where runs are cut, as far as they are longer."""


class World:
    """An unpacker of partitions 0 and 1, all that it was given, and all that it says."""

    def __init__(self, in_runs, route=None):
        self.said = []
        self.records = []
        self.entries = []
        self._offsets = dict.fromkeys((*OURS, NOT_OURS), 0)
        self.owned = OwnedPartitions(TOPIC, 250_000, self._assignment)
        self._route = route
        self.owned.add(OURS)
        self.books = list(self.owned.books.values())
        self._unpacker = Unpacker(self.owned, self._on_error, self._on_rewound)
        self._in_runs = in_runs

    def _assignment(self, partition, epoch):
        assignment = Assignment(TOPIC, partition, epoch)
        assignment.route = self._route
        return assignment

    def _on_error(self, record):
        self.said.append(("error", record.error().code(), record.partition()))

    def _on_rewound(self, old, new):
        self.said.append(("rewound", old.partition, old.epoch, old.is_closed, new.epoch))
        self.books.append(self.owned.books[new.partition])

    def poll(self, given):
        """Unpack a poll of records as *given* says."""
        records = []
        for each in given:
            fields = dict(each)
            partition, step, error = (fields.pop(name) for name in ("partition", "step", "error"))
            offset = self._offsets[partition] = max(0, self._offsets[partition] + step)
            if error is not None:
                fields = {"error": KafkaError(error)}
            records.append(CountedRecord(offset, partition, **fields))
        self.records += records
        unpacked = self._unpacker.unpack(records, in_runs=self._in_runs)
        self.entries += unpacked.entries
        self.said.append((unpacked.messages, unpacked.size, unpacked.largest))

    def cut(self, middles):
        """Cut runs at *middles*, as far as they are long enough."""
        entries = []
        for place, entry in enumerate(self.entries):
            middle = middles[place] if place < len(middles) else 99
            entries += entry.cut(middle) if isinstance(entry, MessageRun) and middle <= entry.more else (entry,)
        self.entries = entries

    @property
    def messages(self):
        """What its entries are, one by one, read twice."""
        messages = [message for entry in self.entries for message in messages_of(entry)]
        return [[_read(message), _read(message)] for message in messages]

    def settle(self):
        """Settle every entry."""
        for entry in self.entries:
            if isinstance(entry, MessageRun):
                take(entry)
            else:
                entry.delivery.begin()
                entry.delivery.finish()
        for book in self.books:
            book.advance()

    @property
    def state(self):
        """What its books say."""
        names = ("newest", "pending", "pending_bytes", "next_offset", "settled")
        return [
            (book.assignment.partition, book.assignment.epoch, *(getattr(book, name) for name in names))
            for book in self.books
        ]


def _read(message):
    place = (message.topic, message.partition, message.offset, message.assignment.epoch)
    return (message.payload, *place, message.uuid, message.metadata, message.key, message.timestamp)


def _payloads(entry):
    return entry.payloads if isinstance(entry, MessageRun) else [entry.payload]


def worlds(polls, middles=()):
    """Return two, in runs and message by message, that have got *polls*."""
    both = World(in_runs=True), World(in_runs=False)
    for world in both:
        for poll in polls:
            world.poll(poll)
    both[0].cut(middles)
    return both


@given(POLLS, MIDDLES)
def test_runs_are_the_messages_that_come_one_by_one(polls, middles):
    """The same in the same order, whatever is between them, and wherever runs are cut."""
    runs, ones = worlds(polls, middles)

    assert runs.said == ones.said
    assert runs.messages == ones.messages
    assert all(record.reads <= 1 for record in runs.records)


@given(POLLS, MIDDLES)
def test_books_of_runs_are_those_of_messages(polls, middles):
    """Before anything has settled, and after everything has."""
    runs, ones = worlds(polls, middles)
    before = runs.state, ones.state
    for world in (runs, ones):
        world.settle()

    assert before[0] == before[1]
    assert runs.state == ones.state
    assert all(book.pending == book.pending_bytes == 0 for book in runs.owned.books.values())
    assert sum(record.reads for record in runs.records) <= 1


def test_records_that_follow_each_other_are_one_run():
    """Of one partition; gaps between the offsets do not end it, and each message keeps its own."""
    world = World(in_runs=True)
    given = [{"partition": p, "step": s, "value": b"v", "error": None} for p, s in [(0, 1), (0, 4), (1, 1), (0, 2)]]
    world.poll(given)

    assert [(run.assignment.partition, run.first, run.offset, run.more) for run in world.entries] == [
        (0, 1, 5, 1),
        (1, 1, 1, 0),
        (0, 7, 7, 0),
    ]
    assert [message.offset for message in world.entries[0].divide()] == [1, 5]


@pytest.mark.parametrize("values", [(None,), (b"v", None, b""), (b"v", b"")])
def test_record_without_a_value_is_a_message_without_a_payload(values):
    """A tombstone, also where all of the poll is of one partition."""
    runs, ones = worlds([[{"partition": 0, "step": 1, "value": value, "error": None} for value in values]])

    assert [message[0][0] for message in runs.messages] == [value or b"" for value in values]
    assert runs.messages == ones.messages
    assert runs.said == ones.said


@pytest.mark.parametrize("steps", [(5, 1, -2, 1), (5, 1, 0), (5, -1)])
def test_record_below_another_of_its_poll_begins_a_new_epoch(steps):
    """Also where all of the poll is of one partition."""
    runs, ones = worlds([[{"partition": 0, "step": step, "value": b"v", "error": None} for step in steps]])

    assert runs.said == ones.said
    assert runs.said[0][0] == "rewound"
    assert runs.messages == ones.messages


def test_piece_of_a_run_with_gaps_is_committed_up_to_its_own_last_message():
    """Not to where as many offsets would have brought it."""
    world = World(in_runs=True)
    world.poll([{"partition": 0, "step": 10, "value": b"v", "error": None}] * 4)
    head, tail = world.entries[0].cut(2)
    take(head)
    book = world.books[0]
    book.advance()

    assert (head.first, head.offset, tail.first, tail.offset) == (10, 20, 30, 40)
    assert (book.next_offset, book.pending) == (21, 2)


@pytest.mark.parametrize("middle", [None, 250])
def test_record_that_was_looked_at_is_not_read_again(middle):
    """What it weighs is known of its headers, which can be read only once; whichever piece it is in then."""
    world = World(in_runs=True)
    for _ in range(3):
        given = {"partition": 0, "step": 1, "value": b"", "headers": [("unreadable", b"")], "error": None}
        world.poll([given] * SAMPLE_EVERY)
    looked_at = [record.reads for record in world.records]
    if middle is not None:
        world.cut([middle] * 4)
    read = world.messages

    assert 2 <= sum(looked_at) <= 3
    assert {record.reads for record in world.records} == {1}
    assert all("headers_unreadable" in message[6] for message, _ in read)


def test_too_large_messages_of_a_run_are_set_aside_and_the_others_go_on():
    """Runs without one stay whole; the commit waits for its record."""
    sink = StepSink()
    world = World(in_runs=True, route=routed(sink).route)
    sizes = [(0, 1), (0, 50), (0, 2), (1, 3), (1, 4)]
    world.poll([{"partition": p, "step": 1, "value": b"x" * size, "error": None} for p, size in sizes])
    world.entries = set_aside(world.entries, 10)
    kinds = [isinstance(entry, ReceivedRun) for entry in world.entries]
    sizes = [len(payload) for entry in world.entries for payload in _payloads(entry)]
    world.settle()
    early = [(book.next_offset, book.pending) for book in world.books]
    sink.write()
    world.books[0].advance()

    assert kinds == [False, False, True]
    assert sizes == [1, 2, 3, 4]
    assert early == [(2, 2), (3, 0)]
    assert [(message.offset, type(error)) for message, error in sink.records] == [(2, MessageTooLarge)]
    assert world.books[0].next_offset == 4


def test_too_large_message_of_a_run_outside_a_router_is_delivered():
    """There is nobody to give it to."""
    world = World(in_runs=True)
    world.poll([{"partition": 0, "step": 1, "value": b"x" * size, "error": None} for size in (1, 50)])

    assert count_messages(set_aside(world.entries, 10)) == 2


@pytest.fixture
def assignment():
    """The partition that the runs in a buffer are of."""
    return routed()


def test_buffer_counts_the_messages_of_runs(assignment):
    """Its bounds are in messages and bytes."""
    buffer = DeliveryBuffer(5, 1000)
    buffer.put([delivered_run(assignment, 100, 3)])
    early = (buffer.messages, buffer.bytes, buffer.is_full)
    buffer.put([delivered_run(assignment, 103, 2)])

    assert early == (3, 9, False)
    assert (buffer.messages, buffer.bytes, buffer.is_full) == (5, 15, True)


def test_run_that_is_larger_than_what_is_asked_for_is_cut(assignment):
    """Its rest comes next, with its share of the bytes, before what stands behind it."""
    buffer = DeliveryBuffer(100, 1000)
    buffer.put(
        [delivered_run(assignment, 0, 2), delivered_run(assignment, 2, 5), delivered_run(assignment, 7, 1)], 8, 80
    )
    received = []
    while buffer.messages:
        received.append([[(run.first, run.offset) for run in buffer.receive(3, 1.0)], buffer.messages, buffer.bytes])

    assert received == [[[(0, 1), (2, 2)], 5, 50], [[(3, 5)], 2, 20], [[(6, 6), (7, 7)], 0, 0]]


@given(st.lists(st.integers(min_value=1, max_value=6), min_size=1, max_size=6), st.integers(min_value=1, max_value=8))
def test_what_is_received_of_runs_is_what_was_put(counts, asked):
    """In order, never more than was asked for, and as much as there was of one chunk."""
    buffer, assignment, first = DeliveryBuffer(100, 1000), routed(), 0
    chunk = []
    for count in counts:
        chunk.append(delivered_run(assignment, first, count))
        first += count
    buffer.put(chunk)
    received = []
    while buffer.messages:
        received.append([m.offset for entry in buffer.receive(asked, 1.0) for m in messages_of(entry)])

    assert [offset for chunk in received for offset in chunk] == list(range(first))
    assert all(len(chunk) == asked for chunk in received[:-1])
    assert len(received[-1]) <= asked
    assert buffer.bytes == 0


def test_runs_of_gone_partitions_leave_the_buffer():
    """With their numbers and bytes; others stay whole, a rest of a run too."""
    gone, kept = routed(partition=0), routed(partition=1)
    buffer = DeliveryBuffer(100, 1000)
    buffer.put([delivered_run(gone, 0, 4), delivered_run(kept, 0, 4)], 8, 80)
    buffer.put([delivered_run(gone, 4, 4)], 4, 40)
    buffer.receive(2, 1.0)
    buffer.discard([gone])

    assert (buffer.messages, buffer.bytes) == (4, 40)
    assert [(run.assignment, run.first, run.offset) for run in buffer.receive(10, 1.0)] == [(kept, 0, 3)]
    assert (buffer.messages, buffer.bytes) == (0, 0)
