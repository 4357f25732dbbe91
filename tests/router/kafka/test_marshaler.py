"""The wire form: what goes into a record and what comes out of one."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME, TIMESTAMP_NOT_AVAILABLE
from confluent_kafka import Message as Record

from millstream.middleware import Retry
from millstream.router import Assignment, Message, PermanentError
from millstream.router.delivery.failure import Failure
from millstream.router.kafka.consuming import received
from millstream.router.kafka.consuming.received import ReceivedMessage
from millstream.router.kafka.marshaler import HEADERS_UNREADABLE, headers_of, key_of, misfit_of
from millstream.router.poison.record import poison_record

ASSIGNMENT = Assignment("events", 3)


def message_of(read: Any, assignment: Assignment = ASSIGNMENT) -> Message:
    """Return the message that a subscription makes of a record."""
    place = (assignment.topic, assignment.partition, read.offset())
    return ReceivedMessage(read.value() or b"", "", received.UNREAD, *place, assignment, read)


def record(**fields: Any) -> Record:
    """Return a record as confluent-kafka hands it out."""
    return Record(
        **{
            "topic": "events",
            "partition": 3,
            "offset": 7,
            "key": None,
            "value": b"payload",
            "headers": None,
            "timestamp": (TIMESTAMP_CREATE_TIME, 1_700_000_000_250),
            **fields,
        }
    )


class UnreadableRecord:
    """A record whose headers confluent-kafka cannot decode."""

    def headers(self) -> list[tuple[str, bytes]]:
        """Fail as confluent-kafka does."""
        raise SystemError("<method 'headers'> returned a result with an exception set")

    def __getattr__(self, name: str) -> Any:
        return getattr(record(), name)


def test_uuid_and_metadata_are_headers() -> None:
    """Expect the Go header for the uuid and one header for each metadata entry."""
    message = Message(b"payload", uuid="one", metadata={"tenant_id": "t", "city": "Zürich"})

    assert headers_of(message) == [
        ("_watermill_message_uuid", b"one"),
        ("tenant_id", b"t"),
        ("city", "Zürich".encode()),
    ]


def test_metadata_named_like_the_uuid_header_is_refused() -> None:
    """Expect an error that names the entry, as in the original."""
    with pytest.raises(PermanentError, match="_watermill_message_uuid"):
        headers_of(Message(b"", metadata={"_watermill_message_uuid": "other"}))


@pytest.mark.parametrize("metadata", [{"name": "\udcff"}, {"\udcff": "value"}])
def test_metadata_that_cannot_be_utf8_is_refused(metadata: dict[str, str]) -> None:
    """Expect a lone surrogate, in a name or a value, to be a permanent error."""
    with pytest.raises(PermanentError, match="UTF-8"):
        headers_of(Message(b"", metadata=metadata))


@pytest.mark.parametrize("name", ["a\0b", "_watermill_message_uuid\0x", "\0"])
def test_metadata_name_with_a_nul_is_refused(name: str) -> None:
    """Expect an error: librdkafka cuts the name there, and the second of these would take the place of the uuid."""
    with pytest.raises(PermanentError, match="NUL"):
        headers_of(Message(b"", metadata={name: "value"}))


def test_metadata_value_with_a_nul_is_written() -> None:
    """Expect a value, whose length is written beside it, to be anything."""
    assert headers_of(Message(b"", uuid="u\0", metadata={"a": "x\0y"}))[1:] == [("a", b"x\0y")]


def test_misfit_of_a_good_message_is_nothing() -> None:
    """Expect no fault to be found where there is none, with a key and without."""
    assert [misfit_of(Message(b"", key=key, metadata={"a": "b"})) for key in (None, b"key")] == ["", ""]


@pytest.mark.parametrize(
    ("message", "key"),
    [
        pytest.param(Message(b"", key=b"own", metadata={"partition_key": "other"}), b"own", id="own-key-first"),
        pytest.param(Message(b"", metadata={"partition_key": "t:c"}), b"t:c", id="partition-key"),
        pytest.param(Message(b"", metadata={"partition_key": ""}), b"", id="empty-is-a-key"),
        pytest.param(Message(b"", key=b""), b"", id="own-empty-key"),
        pytest.param(Message(b""), None, id="none"),
    ],
)
def test_key_is_the_own_one_or_the_partition_key(message: Message, key: bytes | None) -> None:
    """Expect the message's key, else its `partition_key`, else none."""
    assert key_of(message) == key


def test_record_becomes_a_message() -> None:
    """Expect everything the record says, the time in seconds and the uuid not in the metadata."""
    assignment = Assignment("events", 3)
    message = message_of(
        record(key=b"key", headers=[("_watermill_message_uuid", b"one"), ("tenant_id", b"t")]), assignment
    )

    assert message == Message(b"payload", uuid="one", metadata={"tenant_id": "t"})
    assert (message.key, message.topic, message.partition, message.offset) == (b"key", "events", 3, 7)
    assert message.timestamp == 1_700_000_000.25
    assert message.assignment is assignment


@pytest.mark.parametrize("headers", [None, [], [("tenant_id", b"t")]])
def test_missing_uuid_header_is_an_empty_uuid(headers: Any) -> None:
    """Expect a record of a foreign producer to be delivered, without a made-up uuid."""
    assert message_of(record(headers=headers)).uuid == ""


def test_last_of_repeated_headers_wins() -> None:
    """Expect one metadata entry with the last value."""
    message = message_of(record(headers=[("a", b"first"), ("b", b"only"), ("a", b"last")]))

    assert message.metadata == {"a": "last", "b": "only"}


def test_header_that_is_not_utf8_is_escaped() -> None:
    """Expect readable text that any JSON encoder takes."""
    message = message_of(record(headers=[("a", b"caf\xff")]))

    assert message.metadata == {"a": "caf\\xff"}
    assert msgspec.json.encode(message.metadata)


def test_null_header_is_an_empty_entry() -> None:
    """Expect a header without a value to keep its name."""
    assert message_of(record(headers=[("a", None)])).metadata == {"a": ""}


def test_unreadable_headers_are_named_in_the_metadata() -> None:
    """Expect the message to be delivered, without uuid, with an entry that says why."""
    message = message_of(UnreadableRecord())

    assert message.uuid == ""
    assert list(message.metadata) == [HEADERS_UNREADABLE]
    assert message.payload == b"payload"


def test_null_value_is_an_empty_payload() -> None:
    """Expect a tombstone to be delivered with its key."""
    message = message_of(record(value=None, key=b"key"))

    assert (message.payload, message.key) == (b"", b"key")


def test_missing_timestamp_is_none() -> None:
    """Expect no time rather than one in 1970."""
    assert message_of(record(timestamp=(TIMESTAMP_NOT_AVAILABLE, 0))).timestamp is None


@pytest.mark.parametrize("kind", [TIMESTAMP_NOT_AVAILABLE, TIMESTAMP_CREATE_TIME, TIMESTAMP_LOG_APPEND_TIME])
@pytest.mark.parametrize("milliseconds", [-1, -1000])
def test_negative_timestamp_is_none_whoever_set_it(kind: int, milliseconds: int) -> None:
    """Expect what Kafka means by it, and not the last millisecond of 1969."""
    assert message_of(record(timestamp=(kind, milliseconds))).timestamp is None


def test_timestamp_of_zero_is_one() -> None:
    """Expect the beginning of 1970."""
    assert message_of(record(timestamp=(TIMESTAMP_CREATE_TIME, 0))).timestamp == 0.0


def test_written_headers_read_the_same() -> None:
    """Expect uuid and metadata to survive the way through a record."""
    message = Message(b"payload", uuid="ü-1", metadata={"emoji": "🎉", "empty": "", "newline": "a\nb"})

    assert message_of(record(headers=headers_of(message))) == message


def test_what_is_written_to_an_unread_message_stays() -> None:
    """Expect a middleware's own uuid, metadata, key and time to win over those of the record, and the rest to be read."""
    message = message_of(record(key=b"key", headers=[("_watermill_message_uuid", b"one"), ("a", b"b")]))
    message.uuid = "mine"
    message.metadata["c"] = "d"
    message.key = b"other"

    assert (message.uuid, message.metadata, message.key) == ("mine", {"a": "b", "c": "d"}, b"other")


def test_two_unread_messages_share_nothing() -> None:
    """Expect each to have metadata of its own, also without headers."""
    one, two = message_of(record()), message_of(record())
    one.metadata["a"] = "b"

    assert two.metadata == {}


def test_copy_of_an_unread_message_has_everything() -> None:
    """Expect content and place of the original."""
    message = message_of(record(key=b"key", headers=[("_watermill_message_uuid", b"one"), ("a", b"b")]))
    copy = message.copy()

    assert (copy.uuid, copy.metadata, copy.key, copy.timestamp) == ("one", {"a": "b"}, b"key", 1_700_000_000.25)


def test_record_is_read_once_by_however_many_threads() -> None:
    """Expect one reading: a second one of unreadable headers would crash the process."""
    reads = []

    class Counting(UnreadableRecord):
        def headers(self) -> list[tuple[str, bytes]]:
            reads.append(1)
            return super().headers()

    message = message_of(Counting())
    with ThreadPoolExecutor(8) as threads:
        uuids = list(threads.map(lambda _: message.uuid, range(64)))

    assert (len(reads), set(uuids)) == (1, {""})


@pytest.mark.parametrize("is_retried", [False, True], ids=["redelivery", "retry"])
def test_attempts_and_poison_record_have_the_metadata_that_was_read(is_retried: bool) -> None:
    """Expect what the record had, also after it was changed in place; without retries, with them, and past the last one."""
    seen = []

    def handle(message: Message) -> None:
        seen.append(dict(message.metadata))
        message.metadata["tenant"] = "eu-" + message.metadata.pop("name")
        raise ValueError("bad data")

    message = message_of(record(headers=[("name", b"acme")]))
    chain = Retry(max_retries=1, initial_interval=0.0)(handle) if is_retried else handle
    message.delivery.begin()
    for _ in range(2):
        with pytest.raises(ValueError, match="bad data"):
            chain(message)
        message.restore()
    message.metadata.clear()

    assert seen == [{"name": "acme"}] * (4 if is_retried else 2)
    written = poison_record(message, Failure(ValueError("x"))).metadata
    assert (written["name"], "tenant" in written) == ("acme", False)


def test_retry_does_not_read_what_nobody_asks_for() -> None:
    """Expect no headers read on the way of a good message: that costs more than all the rest."""
    message = message_of(UnreadableRecord())

    Retry()(lambda message: None)(message)

    assert message.unread is not None
