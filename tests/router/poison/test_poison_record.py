"""What is written for a poisoned message."""

from datetime import UTC, datetime, timedelta

import pytest

from millstream.router import Assignment, Message, PoisonTopic
from millstream.router.delivery.failure import Failure
from millstream.router.delivery.route import Route
from millstream.router.poison.record import cut, poison_record


def test_record_is_the_message_with_metadata_that_says_what_happened():
    """Content, uuid and key unchanged; the four names of the original and ours."""
    assignment = Assignment("events", 3)
    assignment.route = Route("consumer", "events", "InMemoryPubSub")
    message = Message(
        b"x",
        uuid="u",
        metadata={"tenant": "a"},
        key=b"k",
        topic="events",
        partition=3,
        offset=17,
        timestamp=5.0,
        assignment=assignment,
    )

    record = poison_record(message, Failure(ValueError("bad row")))

    time = datetime.fromisoformat(record.metadata.pop("time_poisoned"))
    assert (record.payload, record.uuid, record.key, record.timestamp) == (b"x", "u", b"k", 5.0)
    assert record.metadata == {
        "tenant": "a",
        "reason_poisoned": "bad row",
        "topic_poisoned": "events",
        "handler_poisoned": "consumer",
        "subscriber_poisoned": "InMemoryPubSub",
        "attempts_poisoned": "1",
        "partition_poisoned": "3",
        "offset_poisoned": "17",
        "error_class_poisoned": "ValueError",
    }
    assert abs(datetime.now(UTC) - time) < timedelta(minutes=1)
    assert message.metadata == {"tenant": "a"}


def test_record_belongs_to_no_assignment():
    """It goes to another topic: settling it must not settle the message."""
    message = Message(b"", assignment=Assignment("t", 0))

    record = poison_record(message, Failure(ValueError()))

    assert (record.assignment, record.topic, record.offset) == (None, "", -1)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(Message(b"", key=b"k"), (b"k", None), id="key"),
        pytest.param(Message(b"", key=b""), (b"", None), id="empty-key"),
        pytest.param(Message(b"", key=b"k" * 5000), (b"k" * 1000, None), id="key-that-is-too-large-itself"),
        pytest.param(Message(b"", metadata={"partition_key": "m"}), (None, "m"), id="key-in-the-metadata"),
        pytest.param(Message(b"", key=b"k", metadata={"partition_key": "m"}), (b"k", None), id="both"),
        pytest.param(Message(b""), (None, None), id="none"),
    ],
)
def test_record_that_is_cut_keeps_its_key(message, expected):
    """A compacted topic takes none without."""
    record = cut(poison_record(message, Failure(ValueError())))

    assert (record.key, record.metadata.get("partition_key")) == expected


def test_record_that_is_cut_is_small_whatever_was_large_in_it():
    """A foreign producer may fill any header, that of the uuid too; a record that no topic takes would wait for ever."""
    large = "x" * 1_000_000
    message = Message(large.encode(), uuid=large, key=large.encode(), metadata={large: "", "a": large})

    record = cut(poison_record(message, Failure(ValueError(large))))

    texts = [record.uuid, *record.metadata, *record.metadata.values()]
    assert len(record.payload) + len(record.key) + sum(map(len, texts)) < 5000
    assert record.metadata["payload_bytes_poisoned"] == "1000000"


def test_record_of_a_message_without_a_router_leaves_the_names_empty():
    """There is no handler to name."""
    metadata = poison_record(Message(b""), Failure(ValueError())).metadata

    assert (metadata["handler_poisoned"], metadata["subscriber_poisoned"], metadata["offset_poisoned"]) == (
        "",
        "",
        "-1",
    )


@pytest.mark.parametrize(
    ("attempts", "redeliveries", "told"),
    [(None, 0, "1"), (4, 0, "4"), (None, 2, "3"), (4, 2, "6")],
    ids=["one try", "four by Retry", "third delivery", "four by Retry of the third delivery"],
)
def test_attempts_count_retries_and_redeliveries(attempts, redeliveries, told):
    """The last delivery's attempts, and one for each earlier delivery; a copy knows the same."""
    message = Message(b"")
    if attempts is not None:
        message.context.values["attempts"] = attempts
    for _ in range(redeliveries):
        message.delivery.restart()

    seen = [
        poison_record(each, Failure(ValueError())).metadata["attempts_poisoned"] for each in (message, message.copy())
    ]

    assert seen == [told, told]


def test_older_poison_metadata_is_replaced():
    """A message replayed from the dead-letter topic and poisoned again tells the latest story."""
    message = Message(b"", metadata={"reason_poisoned": "old", "attempts_poisoned": "9"})

    metadata = poison_record(message, Failure(ValueError("new"))).metadata

    assert (metadata["reason_poisoned"], metadata["attempts_poisoned"]) == ("new", "1")


def test_reason_is_always_text_that_can_be_written():
    """An error may quote half a character; the sink would otherwise fail for ever on a record that no retry mends."""
    record = poison_record(Message(b""), Failure(ValueError("found \ud800 in é")))

    assert record.metadata["reason_poisoned"] == "found \\ud800 in é"


def test_poison_topic_publishes_all_records_to_its_topic():
    """In one call, and leaves the publisher open: it is the router's."""
    calls = []

    class Publisher:
        def publish(self, topic, *messages):
            calls.append((topic, messages))

        def close(self):
            calls.append("close")

    first, second = Message(b"1"), Message(b"2")
    sink = PoisonTopic(Publisher(), "dlq")

    sink.write([first, second])
    sink.close()

    assert calls == [("dlq", (first, second))]
    assert repr(sink) == "PoisonTopic('dlq')"
