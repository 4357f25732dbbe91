"""Names and texts are checked before librdkafka sees them: what it would read as something else never gets there."""

from typing import Any

import pytest

from millstream.router import ConfigurationError, PoisonTopic, Router
from millstream.router.kafka import (
    KafkaAdmin,
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSasl,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    KafkaTls,
)
from millstream.router.kafka.client import open_client
from millstream.router.kafka.names import MAX_NAME, checked_client, checked_id, checked_name, name_of
from millstream.router.kafka.properties import subscriber_properties

BROKERS = ["127.0.0.1:1"]
WRONG_NAMES = [
    pytest.param("^events.*", id="pattern"),
    pytest.param("", id="empty"),
    pytest.param(".", id="dot"),
    pytest.param("..", id="two-dots"),
    pytest.param("a b", id="blank"),
    pytest.param(" events", id="leading-blank"),
    pytest.param("events\n", id="line-end"),
    pytest.param("ev\0ents", id="nul"),
    pytest.param("größe", id="umlaut"),
    pytest.param("a\ud800", id="half-a-character"),
    pytest.param("x" * 250, id="250"),
    pytest.param(b"events", id="bytes"),
    pytest.param(None, id="none"),
]
WRONG_IDS = [
    pytest.param("", id="empty"),
    pytest.param(" ", id="blank"),
    pytest.param("\tgroup", id="leading-blank"),
    pytest.param("gr\0oup", id="nul"),
    pytest.param("group\ud800", id="half-a-character"),
    pytest.param("x" * 32_001, id="too-long"),
    pytest.param("ü" * 16_001, id="too-many-bytes"),
    pytest.param(b"group", id="bytes"),
    pytest.param(None, id="none"),
    pytest.param(5, id="number"),
]


class Text(str):
    """Text whose `str()` is something else, as that of the members of some enums."""

    def __str__(self) -> str:
        return "Text.EVENTS"


@pytest.fixture(scope="module")
def publisher():
    """A publisher whose brokers nobody has."""
    made = KafkaPublisher(KafkaPublisherConfig(brokers=BROKERS, close_timeout=0.1))
    yield made
    made.close()


@pytest.fixture(scope="module")
def subscriber():
    """A subscriber whose brokers nobody has."""
    made = KafkaSubscriber(KafkaSubscriberConfig(brokers=BROKERS, group_id="g"))
    yield made
    made.close()


def never(message: Any) -> None:
    """Handle nothing."""


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_topic_that_kafka_could_not_have_is_refused_wherever_it_is_given(
    publisher: KafkaPublisher, subscriber: KafkaSubscriber, name: Any
) -> None:
    """Expect one error before anything is sent or subscribed, also for a poison topic and by the router."""
    admin, router = KafkaAdmin(KafkaPublisherConfig(brokers=BROKERS)), Router()

    for call in (
        lambda: subscriber.subscribe(name),
        lambda: publisher.publish(name),
        lambda: publisher.publish_async(name),
        lambda: PoisonTopic(publisher, name),
        lambda: admin.create_topic(name, partitions=1),
        lambda: admin.count_partitions(name),
        lambda: admin.is_ready(name),
        lambda: publisher.find_topic(name),
        lambda: router.add_consumer_handler("reads", name, subscriber, never),
        lambda: router.add_handler("writes", "events", subscriber, name, publisher, never),
    ):
        with pytest.raises(ConfigurationError, match=r"must be 1 to 249 of the characters|pass its name"):
            call()
    assert router.handlers == {}
    assert subscriber.statistics() == []


@pytest.mark.parametrize("name", ["a", "a.b", "_A-z.09", "...", "x" * 249])
def test_topic_that_kafka_may_have_is_taken(name: str) -> None:
    """Expect the very name."""
    assert checked_name("topic", name) == name


def test_name_of_a_kind_of_text_is_taken_as_what_it_says() -> None:
    """Expect the characters in it, while confluent-kafka would ask for `str()` of it."""
    config = KafkaSubscriberConfig(brokers=BROKERS, group_id=Text("events"), client_id=Text("events"))
    plain: dict[str, Any] = open_client(dict, config, subscriber_properties(config), lambda _: None)

    assert type(checked_name("topic", Text("events"))) is str
    assert checked_name("topic", Text("events")) == "events"
    assert {each for each in plain.values() if isinstance(each, Text)} == set()
    assert (plain["group.id"], plain["client.id"]) == ("events", "events")


@pytest.mark.parametrize("group", WRONG_IDS)
def test_group_that_librdkafka_could_not_take_is_refused_by_name(group: Any) -> None:
    """Expect an error that names the field."""
    with pytest.raises(ConfigurationError, match=r"^KafkaSubscriberConfig\.group_id must be text"):
        KafkaSubscriberConfig(brokers=BROKERS, group_id=group)


@pytest.mark.parametrize("group", ["g", "a b", "größe ☃", "(:", "x" * 32_000, "ends with a blank "])
def test_group_that_can_be_sent_is_taken(group: str) -> None:
    """Kafka has no rule for its characters."""
    assert checked_id("group", group) == group


@pytest.mark.parametrize("client", [*WRONG_IDS, 'a"b', "a\\b", "a\nb"])
def test_client_id_that_librdkafka_could_not_take_is_refused_by_name(client: Any) -> None:
    """Expect an error that names the field, also where its statistics would be no JSON."""
    with pytest.raises(ConfigurationError, match=r"^KafkaPublisherConfig\.client_id must be text"):
        KafkaPublisherConfig(brokers=BROKERS, client_id=client)
    assert checked_client("client", "größe a(b)") == "größe a(b)"


@pytest.mark.parametrize("instance", [name for name in WRONG_NAMES if name.id != "none"])
def test_instance_id_that_a_broker_would_refuse_is_refused_by_name(instance: Any) -> None:
    """Expect the rule of topics, which is that of the brokers for instance ids."""
    with pytest.raises(ConfigurationError, match=r"^KafkaSubscriberConfig\.group_instance_id must be 1 to 249"):
        KafkaSubscriberConfig(brokers=BROKERS, group_id="g", group_instance_id=instance)


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"cleanup.policy\0x": "compact"}, id="nul-in-a-name"),
        pytest.param({"cleanup.policy": "compact\0,x"}, id="nul-in-a-value"),
        pytest.param({"cleanup\ud800": "compact"}, id="half-a-character-in-a-name"),
        pytest.param({"cleanup.policy": "compact\ud800"}, id="half-a-character-in-a-value"),
    ],
)
def test_topic_setting_that_would_be_read_differently_is_refused(settings: dict[str, str]) -> None:
    """Expect an error that names it, and no topic with another setting."""
    admin = KafkaAdmin(KafkaPublisherConfig(brokers=BROKERS))

    with pytest.raises(ConfigurationError, match=r"'events' cannot be created: the setting 'cleanup"):
        admin.create_topic("events", partitions=1, settings=settings)


def test_long_name_is_cut_in_the_error() -> None:
    """Expect the beginning of it."""
    with pytest.raises(ConfigurationError) as caught:
        checked_name("topic", "x" * 10_000)

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["hun\0ter2", "hunter2\ud800", " hunter2", b"hunter2"])
def test_text_of_a_login_that_would_be_read_differently_is_refused_without_it(text: Any) -> None:
    """Expect the field in the error and not its value."""
    for name, make in (
        ("KafkaSasl.password", lambda: KafkaSasl(username="u", password=text)),
        ("KafkaSasl.username", lambda: KafkaSasl(username=text, password="p")),
        ("KafkaTls.key_password", lambda: KafkaTls(key_password=text)),
        ("KafkaTls.ca_file", lambda: KafkaTls(ca_file=text)),
    ):
        with pytest.raises(ConfigurationError, match=f"^{name} must be text") as caught:
            make()
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("broker", ["ka\0fka:9092", "kafka\ud800:9092", b"kafka:9092", None])
def test_broker_that_would_be_read_differently_is_refused(broker: Any) -> None:
    """Expect an error: what follows a NUL would be cut off, other brokers among it."""
    with pytest.raises(ConfigurationError, match=r"^KafkaPublisherConfig\.brokers must "):
        KafkaPublisherConfig(brokers=[broker, "kafka-2:9092"])


@pytest.mark.parametrize(
    ("parts", "begins"),
    [
        pytest.param(("pod-0", "billing", "events"), "pod-0-billing-events", id="fits"),
        pytest.param(("pod-0", "to the störe", "events"), "pod-0-to_the_st_re-events-", id="other-characters"),
        pytest.param(("pod-0", "h" * 300, "events"), f"pod-0-{'h' * 230}-", id="too-long"),
        pytest.param(("x" * MAX_NAME, "h", "t"), "x" * 236 + "-", id="no-room"),
    ],
)
def test_name_made_of_several_is_one_and_always_the_same(parts: tuple[str, ...], begins: str) -> None:
    """Expect Kafka's rule to be kept, and another handler to give another name."""
    name = name_of(*parts)

    assert checked_name("instance", name).startswith(begins)
    assert name == name_of(*parts)
    assert name != name_of(parts[0], parts[1] + "ö", *parts[2:])
