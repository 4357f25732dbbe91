"""The publisher on mock brokers: confirmed means written, and every failure names its message."""

import re
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import KafkaError
from loguru import logger

from millstream.router import ConfigurationError, Message, PublishError, StateError
from millstream.router.kafka import Confirmation, KafkaPublisher, KafkaPublisherConfig, KafkaPublishError, KafkaSasl
from tests.router.kafka.mock_cluster import MockCluster, Request
from tests.router.kafka.publisher_fixtures import MakePublisher
from tests.router.kafka.raw_records import read_records

pytestmark = pytest.mark.slow  # brokers to talk to: seconds, not milliseconds


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[MockCluster]:
    """Mock brokers for the tests that do no harm to them."""
    cluster = MockCluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def shared_publisher(shared_cluster: MockCluster) -> Iterator[KafkaPublisher]:
    """A publisher on `shared_cluster`: the first message of each idempotent producer takes half a second."""
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[shared_cluster.bootstrap_servers]))
    yield publisher
    publisher.close()


@pytest.fixture
def topic(shared_cluster: MockCluster) -> str:
    """The name of a new topic on `shared_cluster`."""
    name = f"topic-{uuid.uuid4()}"
    shared_cluster.create_topic(name)
    return name


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What Millstream logs above DEBUG while the test runs."""
    seen: list[str] = []
    logger.enable("millstream")
    number = logger.add(seen.append, level="INFO", format="{level} {message} {extra}")
    yield seen
    logger.remove(number)
    logger.disable("millstream")


def test_published_messages_are_written_in_order(
    shared_cluster: MockCluster, shared_publisher: KafkaPublisher, topic: str
) -> None:
    """Expect value, key and headers of every message in its record, in the order of the call."""
    messages = [Message(str(n).encode(), uuid=f"u{n}", metadata={"partition_key": f"k{n}"}) for n in range(500)]
    shared_publisher.publish(topic, *messages)
    records = read_records(shared_cluster.bootstrap_servers, topic, 500)

    assert [record.value() for record in records] == [message.payload for message in messages]
    assert records[7].key() == b"k7"
    assert records[7].headers() == [("_watermill_message_uuid", b"u7"), ("partition_key", b"k7")]


def test_nothing_to_publish_is_done_at_once(shared_publisher: KafkaPublisher) -> None:
    """Expect a call without messages to return, and its `on_done` to be called."""
    done: list[Confirmation] = []
    shared_publisher.publish("events")
    shared_publisher.publish_async("events", on_done=done.append)

    assert [each.error for each in done] == [None]


def test_failures_name_their_messages_and_the_others_are_written(
    mock_cluster: MockCluster, make_publisher: MakePublisher
) -> None:
    """Expect a reason by uuid and by place, for an oversize message and one with a reserved header."""
    mock_cluster.create_topic("events")
    messages = [
        Message(b"first", uuid="a"),
        Message(b"x" * 2000, uuid="big"),
        Message(b"", uuid="big", metadata={"_watermill_message_uuid": "x"}),
        Message(b"last", uuid="b"),
    ]
    with pytest.raises(KafkaPublishError) as caught:
        make_publisher(max_message_bytes=1500).publish("events", *messages)
    values = [record.value() for record in read_records(mock_cluster.bootstrap_servers, "events", 2)]

    assert isinstance(caught.value, PublishError)
    assert list(caught.value.failures) == ["big"]
    assert list(caught.value.positions) == [1, 2]
    assert caught.value.positions[1] == (
        "message too large: 2,026 bytes with key and headers, over max_message_bytes=1500"
    )
    assert "_watermill_message_uuid" in caught.value.positions[2]
    assert values == [b"first", b"last"]


def test_message_that_the_broker_refuses_is_named(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect the broker's own limit to be reported like ours."""
    mock_cluster.create_topic("events")
    mock_cluster.fail(Request.PRODUCE, KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.MSG_SIZE_TOO_LARGE)
    with pytest.raises(KafkaPublishError) as caught:
        make_publisher().publish("events", Message(b"payload", uuid="one"))

    assert caught.value.failures["one"] == (
        "message too large: 33 bytes with key and headers, over the max.message.bytes of topic 'events'"
    )


def test_passing_fault_is_retried(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect a leader that moves to be no failure of the call."""
    mock_cluster.create_topic("events")
    mock_cluster.fail(Request.PRODUCE, KafkaError.NOT_LEADER_FOR_PARTITION)
    confirmation = make_publisher().publish_async("events", Message(b"payload"))

    assert confirmation.wait(20)
    assert confirmation.error is None


def test_unknown_topic_is_named_with_the_command_that_creates_it(
    mock_cluster: MockCluster, make_publisher: MakePublisher
) -> None:
    """Expect the topic, the brokers and the command, and no topic made of a typing error."""
    publisher = make_publisher(properties={"topic.metadata.propagation.max.ms": 50})
    with pytest.raises(KafkaPublishError) as caught:
        publisher.publish("evnets", Message(b"payload", uuid="one"))
    command = f"--brokers {mock_cluster.bootstrap_servers} --topic evnets --create-topic 4"

    assert command in caught.value.failures["one"]
    with pytest.raises(KafkaPublishError):
        publisher.publish("evnets", Message(b"payload"))


def test_topic_that_is_created_later_is_found(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect the same publisher to reach a topic that it was told does not exist."""
    publisher = make_publisher(properties={"topic.metadata.propagation.max.ms": 50})
    with pytest.raises(KafkaPublishError):
        publisher.publish("events", Message(b"too early"))
    mock_cluster.create_topic("events")
    confirmation = publisher.publish_async("events", Message(b"payload"))

    assert confirmation.wait(20)
    assert confirmation.error is None


@pytest.mark.parametrize("name", ["", "two words", "..", "x" * 250, "t\n"])
def test_impossible_topic_name_is_refused(shared_publisher: KafkaPublisher, name: str) -> None:
    """Expect an error before anything is sent: librdkafka would wait for such a topic."""
    with pytest.raises(ConfigurationError, match="name of a Kafka topic"):
        shared_publisher.publish(name, Message(b"payload"))


def test_outcome_comes_to_on_done(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect one call of `on_done`, with the reason of the one message that failed."""
    mock_cluster.create_topic("events")
    done = threading.Event()
    seen: list[dict[int, str]] = []

    def note(confirmation: Confirmation) -> None:
        seen.append(confirmation.failures)
        done.set()

    messages = [Message(b"small"), Message(b"x" * 2000)]
    make_publisher(max_message_bytes=1500).publish_async("events", *messages, on_done=note)

    assert done.wait(20)
    assert [list(each) for each in seen] == [[1]]


def test_on_done_that_raises_harms_nobody(shared_publisher: KafkaPublisher, topic: str, lines: list[str]) -> None:
    """Expect the error in the log and the publisher to go on."""

    def fail(confirmation: Confirmation) -> None:
        raise ValueError("a bug")

    shared_publisher.publish_async(topic, Message(b"payload"), on_done=fail).wait(20)
    shared_publisher.publish(topic, Message(b"payload"))

    assert any("a bug" in line for line in lines)
    assert shared_publisher.error is None


def test_on_done_may_publish_but_not_wait(shared_publisher: KafkaPublisher, topic: str) -> None:
    """Expect `publish_async` to work there and `publish`, which would wait for its own thread, to raise."""
    second: list[Confirmation] = []
    refused: list[StateError] = []
    done = threading.Event()

    def go_on(confirmation: Confirmation) -> None:
        try:
            shared_publisher.publish(topic, Message(b"waits"))
        except StateError as error:
            refused.append(error)
        second.append(shared_publisher.publish_async(topic, Message(b"follows"), on_done=lambda _: done.set()))

    shared_publisher.publish_async(topic, Message(b"payload"), on_done=go_on)

    assert done.wait(20)
    assert second[0].error is None
    assert len(refused) == 1


def test_full_buffer_makes_the_caller_wait(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect more messages than the buffer holds to go out in one call."""
    mock_cluster.create_topic("events")
    make_publisher(buffer_messages=10).publish("events", *(Message(b"%d" % n) for n in range(200)))

    assert [record.value() for record in read_records(mock_cluster.bootstrap_servers, "events", 200)] == [
        b"%d" % n for n in range(200)
    ]


def test_waiting_for_room_has_an_end(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect messages that find no room within the delivery timeout to be named, each once."""
    mock_cluster.create_topic("events")
    mock_cluster.set_down()
    publisher = make_publisher(buffer_messages=1, delivery_timeout=0.2)
    with pytest.raises(KafkaPublishError) as caught:
        publisher.publish("events", Message(b"one"), Message(b"two"))

    assert list(caught.value.positions) == [0, 1]


def test_outage_is_waited_out_and_said_once(
    mock_cluster: MockCluster, make_publisher: MakePublisher, lines: list[str]
) -> None:
    """Expect no failure of what was published while no broker was there, one warning, and one line when it is over."""
    mock_cluster.create_topic("events")
    publisher = make_publisher(properties={"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50})
    publisher.publish("events", Message(b"before"))
    warned = threading.Event()
    number = logger.add(lambda line: warned.set(), level="WARNING")
    mock_cluster.set_down()
    confirmation = publisher.publish_async("events", Message(b"during"))
    is_warned = warned.wait(20)
    is_early = confirmation.is_done
    mock_cluster.set_up()
    confirmation.wait(20)
    logger.remove(number)

    assert is_warned
    assert not is_early
    assert confirmation.error is None
    assert [re.split(r": | \{", line, maxsplit=1)[0] for line in lines] == [
        "WARNING no Kafka broker can be reached, waiting for one",
        "INFO Kafka brokers are back",
    ]


def test_outage_longer_than_the_delivery_timeout_fails_the_call(make_publisher: MakePublisher) -> None:
    """Expect the time that was waited and what was wrong in the reason; nobody listens on port 1."""
    publisher = make_publisher(brokers=["127.0.0.1:1"], delivery_timeout=0.3)
    with pytest.raises(KafkaPublishError) as caught:
        publisher.publish("events", Message(b"payload", uuid="one"))

    assert "delivery_timeout=0.3 s" in caught.value.failures["one"]
    assert "Connection refused" in caught.value.failures["one"]


def test_close_waits_for_confirmations(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect everything handed over before the close to be confirmed by it."""
    mock_cluster.create_topic("events")
    publisher = make_publisher(close_timeout=20.0, linger=0.2)
    confirmation = publisher.publish_async("events", *(Message(b"payload") for _ in range(100)))
    publisher.close()
    publisher.close()

    assert confirmation.is_done
    assert confirmation.error is None


def test_close_reports_what_it_drops(
    mock_cluster: MockCluster, make_publisher: MakePublisher, lines: list[str]
) -> None:
    """Expect a close that times out to end the waiting call, with the message's reason, and to say so."""
    mock_cluster.create_topic("events")
    mock_cluster.set_down()
    publisher = make_publisher(close_timeout=0.1)
    confirmation = publisher.publish_async("events", Message(b"payload"))
    publisher.close()

    assert isinstance(confirmation.error, KafkaPublishError)
    assert "the publisher was closed first" in confirmation.failures[0]
    assert any("messages not confirmed" in line for line in lines)


def test_close_ends_a_call_that_waits_for_room(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect the call to return and name every message that did not get out."""
    mock_cluster.create_topic("events")
    mock_cluster.set_down()
    publisher = make_publisher(buffer_messages=1, close_timeout=0.1)
    publisher.publish_async("events", Message(b"fills the buffer"))
    caught: list[PublishError] = []
    is_sending = threading.Event()

    class Telltale(dict[str, str]):
        """Metadata that tells when it is read: the call is past the point where a closed publisher refuses it."""

        def items(self) -> Any:
            is_sending.set()
            return super().items()

    def publish() -> None:
        try:
            publisher.publish("events", Message(b"one", metadata=Telltale()), Message(b"two"))
        except PublishError as error:
            caught.append(error)

    caller = threading.Thread(target=publish)
    caller.start()
    is_sending.wait(20)
    publisher.close()
    caller.join(20)

    assert [type(error) for error in caught] == [KafkaPublishError]
    assert len(caught[0].failures) == 2


def test_closed_publisher_refuses(make_publisher: MakePublisher) -> None:
    """Expect both ways to publish to raise."""
    publisher = make_publisher()
    publisher.close()

    with pytest.raises(StateError, match="closed"):
        publisher.publish("events", Message(b"payload"))
    with pytest.raises(StateError, match="closed"):
        publisher.publish_async("events", Message(b"payload"))


def test_many_threads_share_a_publisher(mock_cluster: MockCluster, make_publisher: MakePublisher) -> None:
    """Expect every message of eight threads once, each thread's in order."""
    mock_cluster.create_topic("events")
    publisher = make_publisher(buffer_messages=50)

    def publish(number: int) -> None:
        for part in range(5):
            publisher.publish("events", *(Message(b"%d %d" % (number, part * 20 + n)) for n in range(20)))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    pairs = [
        tuple(map(int, (record.value() or b"").split()))
        for record in read_records(mock_cluster.bootstrap_servers, "events", 800)
    ]

    assert [[n for who, n in pairs if who == number] for number in range(8)] == [list(range(100))] * 8


def test_token_provider_is_asked(make_publisher: MakePublisher) -> None:
    """Expect a provider that works to be called when the publisher opens."""
    asked: list[str] = []

    def provide(text: str) -> tuple[str, float]:
        asked.append(text)
        return "token", datetime.now(UTC).timestamp() + 60

    make_publisher(
        brokers=["127.0.0.1:1"],
        sasl=KafkaSasl(mechanism="OAUTHBEARER", token=provide),
        properties={"sasl.oauthbearer.config": "scope=events"},
    )

    assert asked == ["scope=events"]


@pytest.mark.slow
def test_failure_of_the_token_provider_is_told() -> None:
    """Expect what the provider raised in the error; confluent-kafka waits 10 s for a token."""

    def fail(text: str) -> tuple[str, float]:
        raise ValueError("no token today")

    sasl = KafkaSasl(mechanism="OAUTHBEARER", token=fail)
    with pytest.raises(ConfigurationError, match="ValueError: no token today"):
        KafkaPublisher(KafkaPublisherConfig(brokers=["127.0.0.1:1"], sasl=sasl))
