"""Making topics and looking at them. Mock brokers cannot make any, so that part needs a real one."""

import threading
import uuid

import pytest
from confluent_kafka import KafkaError

from millstream.router import ConfigurationError, Message, TransientError
from millstream.router.kafka import KafkaAdmin, KafkaPublisher, KafkaPublisherConfig, KafkaPublishError, KafkaSasl
from tests.router.kafka.mock_cluster import MockCluster, Request
from tests.router.kafka.raw_records import read_records
from tests.router.kafka.real_kafka import USER, OwnKafka, RealKafka

pytestmark = pytest.mark.slow  # brokers to talk to: tenths of a second each

GO_PARTITIONS = {"": 2, "a": 6, "foobar": 4, "acme:customer-1": 2, "acme:customer-2": 3}
"""Where the hash partitioner of sarama 1.61 puts these keys, with seven partitions."""


def config_of(address: str) -> KafkaPublisherConfig:
    """Return a configuration for the brokers at *address*."""
    return KafkaPublisherConfig(brokers=address.split(","))


def test_partitions_of_a_topic_are_counted(mock_cluster: MockCluster) -> None:
    """Expect the number of partitions, and `None` for a topic that is not there, which is not made by asking."""
    mock_cluster.create_topic("events", 6)
    admin = KafkaAdmin(config_of(mock_cluster.bootstrap_servers))

    assert admin.count_partitions("events") == 6
    assert admin.count_partitions("absent") is None
    assert admin.count_partitions("absent") is None


@pytest.mark.parametrize("code", [KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.UNKNOWN_LEADER_EPOCH])
def test_topic_is_ready_once_its_leaders_are_at_work(mock_cluster: MockCluster, code: int) -> None:
    """Expect no while there is no such topic, or a leader that is named already does not answer for it yet."""
    admin = KafkaAdmin(config_of(mock_cluster.bootstrap_servers))
    absent = admin.is_ready("events")
    mock_cluster.create_topic("events", 2)
    mock_cluster.fail(Request.LIST_OFFSETS, code)
    early = admin.is_ready("events")

    assert (absent, early) == (False, False)
    assert admin.is_ready("events")


def test_absent_brokers_are_a_transient_error() -> None:
    """Expect the address in the error; nobody listens on port 1."""
    admin = KafkaAdmin(config_of("127.0.0.1:1"))

    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1"):
        admin.count_partitions("events", timeout=0.1)
    with pytest.raises(TransientError, match="cannot be created"):
        admin.create_topic("events", partitions=1, timeout=0.2)


@pytest.mark.parametrize(
    "code", [KafkaError.LEADER_NOT_AVAILABLE, KafkaError.NOT_CONTROLLER, KafkaError.BROKER_NOT_AVAILABLE]
)
def test_brokers_that_change_their_part_are_a_transient_error(mock_cluster: MockCluster, code: int) -> None:
    """Expect what passes by itself not to be called the user's fault."""
    mock_cluster.create_topic("events")
    mock_cluster.set_topic_error("events", code)
    admin = KafkaAdmin(config_of(mock_cluster.bootstrap_servers))

    with pytest.raises(TransientError, match="'events' cannot be looked at"):
        admin.count_partitions("events")


@pytest.mark.parametrize("partitions", [200_000, 2**40])
def test_number_of_partitions_that_nobody_takes_is_a_configuration_error(partitions: int) -> None:
    """Expect the topic and the reason where the library refuses it; nobody listens on port 1."""
    admin = KafkaAdmin(config_of("127.0.0.1:1"))

    with pytest.raises(ConfigurationError, match="topic 'events' cannot be created: "):
        admin.create_topic("events", partitions=partitions, timeout=0.2)


@pytest.mark.parametrize("call", ["count", "create"])
def test_refused_credentials_end_the_wait_for_an_answer(own_kafka: OwnKafka, call: str) -> None:
    """Expect the refusal itself, long before the answer that will not come is given up."""
    sasl = KafkaSasl(mechanism="SCRAM-SHA-256", username=USER, password="not-the-right-one")
    admin = KafkaAdmin(KafkaPublisherConfig(brokers=[own_kafka.addresses["SASL_PLAINTEXT"]], sasl=sasl))
    caught: list[ConfigurationError] = []

    def ask() -> None:
        try:
            if call == "count":
                admin.count_partitions("events", timeout=600.0)
            else:
                admin.create_topic("events", partitions=1, timeout=600.0)
        except ConfigurationError as error:
            caught.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(60)

    assert "refused us" in str(caught[0])


def test_topic_is_created_once(real_kafka: RealKafka) -> None:
    """Expect the topic to be there when the call returns, and a second call to find it."""
    topic = f"created-{uuid.uuid4()}"
    admin = KafkaAdmin(config_of(real_kafka.bootstrap_servers))
    first = admin.create_topic(topic, partitions=3, settings={"retention.ms": "60000"})
    count = admin.count_partitions(topic)

    assert first
    assert count == 3
    assert not admin.create_topic(topic, partitions=3)


@pytest.mark.parametrize(
    ("topic", "partitions", "settings"),
    [
        pytest.param("two words", 1, {}, id="bad-name"),
        pytest.param("fine", 1, {"no.such.setting": "1"}, id="bad-setting"),
        pytest.param("fine", 0, {}, id="no-partitions"),
    ],
)
def test_topic_that_brokers_refuse_is_named(
    real_kafka: RealKafka, topic: str, partitions: int, settings: dict[str, str]
) -> None:
    """Expect a configuration error with the topic's name."""
    admin = KafkaAdmin(config_of(real_kafka.bootstrap_servers))

    with pytest.raises(ConfigurationError, match=topic):
        admin.create_topic(topic, partitions=partitions, settings=settings)


def test_real_broker_takes_what_is_published(real_kafka: RealKafka) -> None:
    """Expect an unknown topic to be named, and after its creation the same publisher to write to it, in order."""
    topic = f"published-{uuid.uuid4()}"
    config = config_of(real_kafka.bootstrap_servers)
    publisher = KafkaPublisher(config)
    with pytest.raises(KafkaPublishError, match="does not exist"):
        publisher.publish(topic, Message(b"too early"))
    KafkaAdmin(config).create_topic(topic, partitions=1)
    publisher.publish(topic, *(Message(b"%d" % number) for number in range(5000)))
    publisher.close()
    records = read_records(real_kafka.bootstrap_servers, topic, 5000)

    assert [record.value() for record in records] == [b"%d" % number for number in range(5000)]


def test_real_broker_has_what_go_services_expect(real_kafka: RealKafka) -> None:
    """Expect uuid and metadata as headers, the partition key as the record's key, and the partition of the Go hash."""
    topic = real_kafka.create_topic(7)
    config = KafkaPublisherConfig(brokers=[real_kafka.bootstrap_servers], partitioner="fnv1a_random")
    publisher = KafkaPublisher(config)
    publisher.publish(
        topic, *(Message(b"v", uuid=f"u-{key}", metadata={"partition_key": key}) for key in GO_PARTITIONS)
    )
    publisher.close()
    records = read_records(real_kafka.bootstrap_servers, topic, len(GO_PARTITIONS), 7)
    found = {record.key().decode(): (record.partition(), record.headers()) for record in records}

    assert found == {
        key: (partition, [("_watermill_message_uuid", f"u-{key}".encode()), ("partition_key", key.encode())])
        for key, partition in GO_PARTITIONS.items()
    }


def test_topic_that_is_missing_is_an_error_with_the_command_that_creates_it(
    mock_cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expect the publisher to find what is there, and not to ask where brokers may make topics by themselves."""
    monkeypatch.setattr("millstream.router.kafka.admin.MISSING_SECONDS", 0.1)
    mock_cluster.create_topic("there")
    config = config_of(mock_cluster.bootstrap_servers)
    making = KafkaPublisherConfig(brokers=["127.0.0.1:1"], properties={"allow.auto.create.topics": True})
    publisher, maker = KafkaPublisher(config), KafkaPublisher(making)
    try:
        publisher.find_topic("there")
        maker.find_topic("absent")
        with pytest.raises(
            ConfigurationError, match=r"topic 'absent' does not exist on .*; create it with: millstream publish"
        ):
            publisher.find_topic("absent")
    finally:
        publisher.close()
        maker.close()


def test_topic_that_brokers_hear_of_late_is_found(mock_cluster: MockCluster) -> None:
    """Expect it to be asked for again: it was created a moment ago."""
    admin = KafkaAdmin(config_of(mock_cluster.bootstrap_servers))
    later = threading.Timer(0.2, mock_cluster.create_topic, ["late"])
    later.start()
    admin.require_topic("late")
    later.join()

    assert admin.count_partitions("late") == 1


def test_brokers_that_do_not_answer_say_nothing_about_a_topic() -> None:
    """Expect a transient error: a start goes on without the answer."""
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1"):
        KafkaAdmin(config_of("127.0.0.1:1")).require_topic("events", timeout=0.1)
