"""Keys and headers count in the bounds of bytes, read of one message in some hundred."""

from confluent_kafka import Message as Record

from millstream.router import Assignment
from millstream.router.kafka.consuming.besides import SAMPLE_EVERY
from millstream.router.kafka.consuming.owned_partitions import OwnedPartitions
from millstream.router.kafka.consuming.unpacking import Unpacker
from millstream.router.testing import eventually
from tests.router.kafka.scripted_consumer import TOPIC, Listener, Loop

UUID = ("_watermill_message_uuid", b"u" * 36)


class CountedRecord(Record):
    """A record that counts how often its headers are read: a second time may crash."""

    def __init__(self, offset, partition=0, value=b"", key=None, headers=None, **fields):
        said = {"value": value, "key": key, "headers": headers, **fields}
        super().__init__(topic=TOPIC, partition=partition, offset=offset, **said)
        self.reads = 0

    def headers(self):
        """Return them, or fail as confluent-kafka does where a name is not UTF-8."""
        self.reads += 1
        found = super().headers()
        if found == [("unreadable", b"")]:
            raise SystemError("<method 'headers'> returned a result with an exception set")
        return found


def unpacker():
    """Return one that owns partitions 0 and 1, and their books."""
    owned = OwnedPartitions(TOPIC, 250_000, lambda partition, epoch: Assignment(TOPIC, partition, epoch))
    owned.add([0, 1])
    return Unpacker(owned, print, print), owned.books


def test_keys_and_headers_of_alike_messages_are_counted_with_their_payloads():
    """A million empty payloads with a kilobyte of headers each are a gigabyte."""
    unpack, books = unpacker()
    headers = [("trace", b"x" * 995), UUID]
    unpacked = unpack.unpack([CountedRecord(offset, key=b"k" * 64, headers=headers) for offset in range(3000)])

    assert unpacked.size == 3000 * (64 + 1000 + 36)
    assert books[0].pending_bytes == unpacked.size
    assert unpacked.largest == 0


def test_each_partition_counts_for_its_own_messages():
    """The runs of a poll add up to it."""
    unpack, books = unpacker()
    records = [CountedRecord(offset, offset // 10 % 2, b"payload", b"key") for offset in range(100)]
    unpacked = unpack.unpack(records)

    assert (books[0].pending_bytes, books[1].pending_bytes) == (500, 500)
    assert unpacked.size == 1000


def test_few_records_are_read_and_each_of_them_once():
    """Reading is what costs, and a second reading of names that are not UTF-8 would crash."""
    unpack, _ = unpacker()
    records = [CountedRecord(offset, headers=[("unreadable", b"")]) for offset in range(10 * SAMPLE_EVERY)]
    messages = [
        message
        for start in range(0, len(records), 100)
        for message in unpack.unpack(records[start : start + 100]).entries
    ]
    read = [record for record in records if record.reads]
    texts = [message.metadata for message in messages]

    assert 8 <= len(read) <= 11
    assert {record.reads for record in records} == {1}
    assert all("headers_unreadable" in text for text in texts)


def test_one_record_of_each_full_poll_is_read():
    """Not of every second one."""
    unpack, _ = unpacker()
    polls = [[CountedRecord(first + offset) for offset in range(SAMPLE_EVERY)] for first in (0, 10_000, 20_000)]
    for poll in polls:
        unpack.unpack(poll, in_runs=True)

    assert [sum(record.reads for record in poll) for poll in polls] == [1, 1, 1]


def test_what_messages_weigh_is_looked_at_again():
    """Producers change."""
    unpack, books = unpacker()
    unpack.unpack([CountedRecord(offset) for offset in range(2 * SAMPLE_EVERY)])
    light = books[0].pending_bytes
    unpack.unpack([CountedRecord(10_000 + offset, key=b"k" * 100) for offset in range(2 * SAMPLE_EVERY)])

    assert light == 0
    assert books[0].pending_bytes == 2 * SAMPLE_EVERY * 100


def test_empty_payloads_with_headers_reach_the_bound_past_the_commit():
    """Everything is paused, as by payloads; once they settle it goes on."""
    listener = Listener()
    with Loop(listener, max_pending_bytes=100_000) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(*[CountedRecord(offset, headers=[("trace", b"x" * 1000)]) for offset in range(200)])
        messages = loop.receive(200)
        is_paused = eventually(lambda: loop.consumer.paused == {0})
        for message in messages:
            message.ack()
        goes_on = eventually(lambda: not loop.consumer.paused)

    assert is_paused
    assert goes_on


def test_buffer_counts_them_as_well():
    """What waits to be received is bounded by the same bytes, also once a part of it was."""
    with Loop(Listener()) as loop:
        loop.consumer.call("assign", 0)
        loop.consumer.give(*[CountedRecord(offset, key=b"k" * 100) for offset in range(200)])
        assert eventually(lambda: loop.buffer.bytes == 20_000)
        loop.buffer.receive(150, 1.0)
        rest = loop.buffer.bytes
        loop.buffer.receive(150, 1.0)
        nothing = loop.buffer.bytes

    assert (rest, nothing) == (5000, 0)
