"""What a publisher does with messages that cannot be sent, or that brokers do not take: each is named, no other suffers."""

import random
from typing import Any

import pytest
from confluent_kafka import KafkaError

from millstream.router import MONOTONIC, Message, MillstreamError, PoisonTopic
from millstream.router.kafka import Confirmation, KafkaPublisher, KafkaPublisherConfig, KafkaPublishError
from millstream.router.poison import NotWritten
from millstream.router.poison.sink_worker import SinkWorker
from tests.router.kafka.mock_cluster import MockCluster, Request
from tests.router.kafka.publisher_fixtures import MakePublisher
from tests.router.kafka.raw_records import read_records
from tests.router.kafka.real_kafka import RealKafka, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("events_topic"),
]  # brokers to talk to: seconds, not milliseconds

TOO_LARGE = KafkaError.MSG_SIZE_TOO_LARGE


def values(records: list[Any]) -> list[bytes]:
    """Return the values of *records*."""
    return [record.value() for record in records]


UNSENDABLE: list[Any] = [
    pytest.param({"metadata": {"n": 5}}, "metadata entry 'n' is of type int, not str", id="metadata"),
    pytest.param({"metadata": {5: "n"}}, "name of the metadata entry 5 is of type int", id="name"),
    pytest.param({"metadata": {"partition_key": 5}}, "metadata entry 'partition_key'", id="partition-key"),
    pytest.param({"metadata": None}, "metadata is of type NoneType", id="no-metadata"),
    pytest.param({"uuid": 5}, "uuid is of type int, not str", id="uuid"),
    pytest.param({"key": 5}, "key is of type int, not bytes", id="key"),
    pytest.param({"key": "\udcff"}, "key is of type str, not bytes", id="key-of-text"),
    pytest.param({"payload": 5}, "payload is of type int, not bytes", id="payload"),
    pytest.param({"payload": bytearray(b"x")}, "payload is of type bytearray, not bytes", id="bytearray"),
    pytest.param({"payload": memoryview(b"x")}, "payload is of type memoryview, not bytes", id="memoryview"),
]


@pytest.mark.parametrize(("fields", "reason"), UNSENDABLE)
def test_message_of_the_wrong_types_is_named_and_the_others_are_written(
    mock_cluster: MockCluster, make_publisher: MakePublisher, fields: dict[str, Any], reason: str
) -> None:
    """Expect a refusal of this one message that says what is wrong with it."""
    content = {"payload": b"x", **fields}
    bad = Message(content.pop("payload"), **content)
    with pytest.raises(KafkaPublishError) as caught:
        make_publisher().publish("events", Message(b"first"), bad, Message(b"last"))

    assert list(caught.value.positions) == [1]
    assert reason in caught.value.positions[1]
    assert caught.value.codes == {1: KafkaError._INVALID_ARG}
    assert caught.value.refused == {1}
    assert values(read_records(mock_cluster.bootstrap_servers, "events", 2)) == [b"first", b"last"]


def test_interrupted_call_ends(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect Ctrl-C amid the messages to come out of the call, and its outcome to be told: a close would wait for it."""
    mock_cluster.set_down()
    done: list[Confirmation] = []

    class Interrupting(dict[str, str]):
        """Metadata that Ctrl-C falls into."""

        def items(self) -> Any:
            raise KeyboardInterrupt

    messages = [Message(b"first"), Message(b"second", metadata=Interrupting())]
    with pytest.raises(KeyboardInterrupt):
        make_publisher().publish_async("events", *messages, on_done=done.append)

    assert [type(each.error) for each in done] == [MillstreamError]
    assert "interrupted by KeyboardInterrupt" in str(done[0].error)


def test_one_message_that_is_too_large_harms_no_other(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect what a broker refuses together to be sent one by one, and only what is refused alone to be named."""
    messages = [Message(b"first"), Message(b"large"), Message(b"last")]
    mock_cluster.fail(Request.PRODUCE, TOO_LARGE, 0, TOO_LARGE, 0)
    confirmation = make_publisher(linger=0.2).publish_async("events", *messages)

    assert confirmation.wait(20)
    assert list(confirmation.failures) == [1]
    assert confirmation.codes == {1: TOO_LARGE}
    assert values(read_records(mock_cluster.bootstrap_servers, "events", 2)) == [b"first", b"last"]


def test_message_sent_alone_is_not_confirmed_by_its_successor(
    mock_cluster: MockCluster, make_publisher: MakePublisher
) -> None:
    """Expect one whose answer says nothing to be sent again, not to be taken for written as later ones are."""
    values_sent = [b"%d" % number for number in range(5)]
    mock_cluster.fail(Request.PRODUCE, TOO_LARGE, KafkaError.REQUEST_TIMED_OUT, 0, 0, 0, 0)
    mock_cluster.set_delay(0.05)
    confirmation = make_publisher(linger=0.2).publish_async("events", *map(Message, values_sent))

    assert confirmation.wait(20)
    assert confirmation.error is None
    assert values(read_records(mock_cluster.bootstrap_servers, "events", 5)) == values_sent


def test_message_without_an_answer_is_not_confirmed_by_its_successor(
    mock_cluster: MockCluster, make_publisher: MakePublisher
) -> None:
    """Expect the first request to a partition to be written when the broker refuses it and takes the one behind it."""
    publisher = make_publisher(linger=0.0)
    mock_cluster.create_topic("others")
    publisher.publish("others", Message(b"opens the connection"))
    mock_cluster.watch()
    mock_cluster.delay(Request.PRODUCE, 0.3, KafkaError.NOT_LEADER_FOR_PARTITION)
    first = publisher.publish_async("events", Message(b"first"))
    wait_until(lambda: mock_cluster.requests(Request.PRODUCE), "the first request")
    second = publisher.publish_async("events", Message(b"second"))
    first.result()
    second.result()

    assert sorted(values(read_records(mock_cluster.bootstrap_servers, "events", 2))) == [b"first", b"second"]


def test_close_reports_what_waits_to_be_sent_alone(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect a message between its refusal and its second chance to be reported by a close that times out."""
    mock_cluster.fail(Request.PRODUCE, TOO_LARGE)
    publisher = make_publisher()
    publisher.publish("events", Message(b"goes at the second try"))
    mock_cluster.fail(Request.PRODUCE, TOO_LARGE, *[KafkaError.NOT_LEADER_FOR_PARTITION] * 1000)
    confirmation = publisher.publish_async("events", Message(b"waits"))
    publisher.close()

    assert confirmation.is_done
    assert isinstance(confirmation.error, KafkaPublishError)
    assert "closed first" in confirmation.failures[0]


def test_real_broker_refuses_the_large_ones_only(real_kafka: RealKafka) -> None:
    """Expect the neighbours of messages over the topic's own limit to be written once each, in their order."""
    topic = real_kafka.create_topic(config={"max.message.bytes": "20000"})
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[real_kafka.bootstrap_servers], linger=0.1))
    noise = random.Random(7)  # must not shrink by compression
    large = {40, 41, 99}
    messages = [Message(noise.randbytes(30_000 if place in large else 1000)) for place in range(100)]
    with pytest.raises(KafkaPublishError) as caught:
        publisher.publish(topic, *messages)
    publisher.close()
    written = values(read_records(real_kafka.bootstrap_servers, topic, 97))

    assert set(caught.value.positions) == large
    assert caught.value.refused == large
    assert written == [message.payload for place, message in enumerate(messages) if place not in large]
    assert real_kafka.end_offsets(topic) == {0: 97}


def test_compacted_poison_topic_takes_what_has_a_key_and_says_why_not_the_rest(real_kafka: RealKafka) -> None:
    """Expect a record that is cut to keep its key, an empty one to be a key, and one without to wait whole."""
    topic = real_kafka.create_topic(config={"cleanup.policy": "compact", "max.message.bytes": "10000"})
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[real_kafka.bootstrap_servers]))
    noise = random.Random(7)  # must not shrink by compression
    sink = SinkWorker("h", PoisonTopic(publisher, topic))
    for key in (b"k", b""):
        sink.take(Message(noise.randbytes(30_000), key=key), ValueError("bad"))
    sink.start()
    assert sink.drain(MONOTONIC.now() + 60.0)
    with pytest.raises(NotWritten, match="1 of them have no key, and a compacted topic takes none without") as caught:
        PoisonTopic(publisher, topic).write([Message(b"x")])
    publisher.close()
    records = read_records(real_kafka.bootstrap_servers, topic, 2)

    assert [(record.key(), len(record.value() or b"")) for record in records] == [(b"k", 1000), (b"", 1000)]
    assert (caught.value.places, caught.value.refused) == ({0}, set())


def test_real_broker_refuses_records_without_key_in_a_compacted_topic(real_kafka: RealKafka) -> None:
    """Expect only those to be named: what has a key is written, though it shared their request."""
    topic = real_kafka.create_topic(config={"cleanup.policy": "compact"})
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[real_kafka.bootstrap_servers], linger=0.1))
    messages = [Message(b"%d" % place, key=None if place == 3 else b"%d" % place) for place in range(10)]
    with pytest.raises(KafkaPublishError) as caught:
        publisher.publish(topic, *messages)
    publisher.close()

    assert caught.value.codes == {3: KafkaError.INVALID_RECORD}
    assert caught.value.refused == caught.value.against_rules == {3}
    assert "a compacted one takes no message without a key" in caught.value.positions[3]
    assert real_kafka.end_offsets(topic) == {0: 9}


@pytest.mark.parametrize("code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED])
def test_missing_right_is_told_by_its_code(mock_cluster: MockCluster, make_publisher: MakePublisher, code: int) -> None:
    """Expect the topic, the brokers and what to do in the reason, and a code that no text has to be searched for."""
    mock_cluster.fail(Request.PRODUCE, code)
    with pytest.raises(KafkaPublishError) as caught:
        make_publisher().publish("events", Message(b"payload"))

    assert caught.value.codes == {0: code}
    assert not caught.value.refused
    assert "no right to write to topic 'events'" in caught.value.positions[0]


def test_call_without_room_gives_up_once(make_publisher: MakePublisher) -> None:
    """Expect one wait for all messages of a call while nothing is confirmed, not one for each; nobody listens on port 1."""
    publisher = make_publisher(brokers=["127.0.0.1:1"], buffer_messages=1, delivery_timeout=1.2)
    with pytest.raises(KafkaPublishError) as caught:
        publisher.publish("events", *(Message(b"payload") for _ in range(20)))
    codes = list(caught.value.codes.values())

    assert len(codes) == 20
    assert codes.count(KafkaError._QUEUE_FULL) >= 16


def test_call_larger_than_the_buffer_goes_on_while_it_is_confirmed(
    mock_cluster: MockCluster, make_publisher: MakePublisher
) -> None:
    """Expect no failure of a call that takes longer than the delivery timeout, as each message is in time."""
    publisher = make_publisher(buffer_messages=1, delivery_timeout=1.5)
    publisher.publish("events", Message(b"first"))
    mock_cluster.set_delay(0.2)
    publisher.publish("events", *(Message(b"%d" % number) for number in range(12)))

    assert len(read_records(mock_cluster.bootstrap_servers, "events", 13)) == 13
