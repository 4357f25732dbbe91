"""Settings of Kafka clients: what is refused, what librdkafka gets, and that secrets stay secret."""

import math
import re
from typing import Any

import msgspec
import pytest

from millstream.router import ConfigurationError
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSasl, KafkaSubscriberConfig, KafkaTls
from millstream.router.kafka.client_config import Property
from millstream.router.kafka.properties import publisher_properties, subscriber_properties

BROKERS = ["localhost:9092"]


def publisher_config(**settings: Any) -> KafkaPublisherConfig:
    """Return a publisher's configuration for a broker that nobody asks."""
    return KafkaPublisherConfig(**{"brokers": BROKERS, **settings})


def subscriber_config(**settings: Any) -> KafkaSubscriberConfig:
    """Return a subscriber's configuration for a broker that nobody asks."""
    return KafkaSubscriberConfig(**{"brokers": BROKERS, "group_id": "group", **settings})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param({"brokers": []}, "brokers", id="no-broker"),
        pytest.param({"brokers": ["a:1", " "]}, "brokers", id="empty-broker"),
        pytest.param({"brokers": "localhost:9092"}, "brokers", id="text-for-a-list"),
        pytest.param({"linger": -1.0}, "linger", id="negative-linger"),
        pytest.param({"delivery_timeout": 0.0}, "delivery_timeout", id="no-delivery-timeout"),
        pytest.param({"delivery_timeout": 2_147_484.0}, "delivery_timeout", id="more-milliseconds-than-fit"),
        pytest.param({"linger": 0.0, "delivery_timeout": 0.0004}, "delivery_timeout", id="no-millisecond"),
        pytest.param({"linger": 2.0, "delivery_timeout": 1.0}, "delivery_timeout", id="timeout-within-linger"),
        pytest.param({"max_message_bytes": 10}, "max_message_bytes", id="tiny-message"),
        pytest.param({"buffer_bytes": 1000}, "buffer_bytes", id="buffer-below-message"),
        pytest.param({"buffer_messages": 0}, "buffer_messages", id="no-buffer"),
        pytest.param({"buffer_messages": 2**31}, "buffer_messages", id="more-messages-than-are-counted"),
        pytest.param({"buffer_bytes": 2**41}, "buffer_bytes", id="more-bytes-than-are-counted"),
        pytest.param({"linger": 901.0, "delivery_timeout": 1000.0}, "linger", id="longer-than-librdkafka-lingers"),
        pytest.param({"close_timeout": 0.0}, "close_timeout", id="no-close-timeout"),
        pytest.param({"close_timeout": math.inf}, "close_timeout", id="endless-close"),
        pytest.param({"linger": math.nan}, "linger", id="linger-that-is-no-number"),
    ],
)
def test_wrong_publisher_setting_is_refused_by_name(settings: dict[str, Any], named: str) -> None:
    """Expect an error that names the field."""
    with pytest.raises(ConfigurationError, match=f"KafkaPublisherConfig.{named}"):
        publisher_config(**settings)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param({"group_id": ""}, "group_id", id="no-group"),
        pytest.param({"group_instance_id": ""}, "group_instance_id", id="no-instance"),
        pytest.param({"commit_interval": 0.0}, "commit_interval", id="no-interval"),
        pytest.param({"commit_interval": 4_294_968.0}, "commit_interval", id="interval-that-wraps"),
        pytest.param({"max_poll_interval": 4_294_968.0}, "max_poll_interval", id="poll-interval-that-wraps"),
        pytest.param({"pause_after": -0.1}, "pause_after", id="negative-pause"),
        pytest.param({"max_pending": 0}, "max_pending", id="nothing-pending"),
        pytest.param({"max_pending_bytes": 0}, "max_pending_bytes", id="no-bytes-pending"),
        pytest.param({"max_pending_bytes": 1}, "max_pending_bytes", id="half-a-byte-to-go-on"),
        pytest.param({"nack_resend_delay": math.inf}, "nack_resend_delay", id="never-again"),
        pytest.param({"nack_resend_delay": math.nan}, "nack_resend_delay", id="delay-that-is-no-number"),
        pytest.param({"heartbeat_interval": 45.0}, "heartbeat_interval", id="heartbeat-at-the-end-of-the-session"),
        pytest.param({"max_poll_interval": 86_401.0}, "max_poll_interval", id="poll-interval-beyond-librdkafkas"),
        pytest.param({"commit_interval": 86_401.0}, "commit_interval", id="commit-interval-beyond-librdkafkas"),
        pytest.param(
            {"session_timeout": 3601.0, "max_poll_interval": 4000.0}, "session_timeout", id="session-beyond-librdkafkas"
        ),
        pytest.param({"heartbeat_interval": 50.0}, "heartbeat_interval", id="heartbeat-after-session"),
        pytest.param({"session_timeout": 400.0}, "session_timeout", id="session-after-poll-interval"),
    ],
)
def test_wrong_subscriber_setting_is_refused_by_name(settings: dict[str, Any], named: str) -> None:
    """Expect an error that names the field."""
    with pytest.raises(ConfigurationError, match=f"KafkaSubscriberConfig.{named}"):
        subscriber_config(**settings)


@pytest.mark.parametrize(
    "broker",
    [
        "kafka",
        "kafka:",
        ":9092",
        "kafka:0",
        "kafka:65536",
        "kafka:http",
        "kafka:9092/topic",
        "http://kafka:9092",
        "::1:9092",
        "[::1]",
        "ka fka:9092",
    ],
)
def test_broker_that_is_no_host_and_port_is_refused_by_its_value(broker: str) -> None:
    """Expect an error, as librdkafka would wait for such a broker as for one that is down."""
    with pytest.raises(ConfigurationError, match=re.escape(f"65535 and without a scheme, not {broker!r}")):
        publisher_config(brokers=["kafka-1:9092", broker])


def test_broker_with_a_login_is_refused_without_it() -> None:
    """Expect the password of a URL not to be shown."""
    with pytest.raises(ConfigurationError, match=re.escape("'sasl://***@kafka:9092'")):
        publisher_config(brokers=["sasl://user:hunter2@kafka:9092"])


def test_brokers_may_be_names_and_addresses_and_stand_in_one_text() -> None:
    """Expect what `bootstrap.servers` takes, IPv6 in brackets."""
    config = publisher_config(brokers=["kafka_1.example:1,10.0.0.1:65535", " [fe80::1%eth0]:9092 "])

    assert config.address == "kafka_1.example:1,10.0.0.1:65535,[fe80::1%eth0]:9092"


@pytest.mark.parametrize(
    "name", ["enable.idempotence", "acks", "topic.acks", "transactional.id", "client.id", "sasl.password", "error_cb"]
)
def test_publisher_property_that_the_contract_needs_is_refused(name: str) -> None:
    """Expect an error that names the property and not its value."""
    with pytest.raises(ConfigurationError, match=f"must not set {name}: ") as caught:
        publisher_config(properties={name: "hunter2"})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["enable.auto.offset.store", "auto.offset.reset", "enable.auto.commit", "group.id", "session.timeout.ms"]
)
def test_subscriber_property_that_the_contract_needs_is_refused(name: str) -> None:
    """Expect an error that names the property."""
    with pytest.raises(ConfigurationError, match=f"must not set {name}: "):
        subscriber_config(properties={name: "anything"})


def test_unknown_field_is_refused() -> None:
    """Expect a configuration read from a file to name a key that does not exist."""
    with pytest.raises(msgspec.ValidationError, match="grup_id"):
        msgspec.convert({"brokers": BROKERS, "grup_id": "group"}, KafkaSubscriberConfig)


def test_publisher_is_idempotent_and_waits_for_all_replicas() -> None:
    """Expect the properties the delivery contract depends on, in librdkafka's units."""
    properties = publisher_properties(publisher_config(linger=0.02, delivery_timeout=60.0))

    assert properties["enable.idempotence"] is True
    assert properties["acks"] == "all"
    assert properties["linger.ms"] == 20
    assert properties["message.timeout.ms"] == 60_000


def test_subscriber_never_lets_librdkafka_store_or_jump() -> None:
    """Expect offset store off and an offset out of range to be an error, whatever `start_from` is."""
    properties = subscriber_properties(subscriber_config(start_from="latest"))

    assert properties["enable.auto.offset.store"] is False
    assert properties["auto.offset.reset"] == "error"


def test_properties_pass_through_and_win_over_defaults() -> None:
    """Expect a user's own property, and one that replaces a measured default."""
    properties = subscriber_properties(
        subscriber_config(properties={"fetch.queue.backoff.ms": 100, "check.crcs": True})
    )

    assert properties["fetch.queue.backoff.ms"] == 100
    assert properties["check.crcs"] is True
    assert properties["queued.min.messages"] == 1_000_000
    assert properties["topic.metadata.refresh.interval.ms"] == 20_000


def test_new_group_protocol_leaves_out_what_it_does_not_know() -> None:
    """Expect none of the three properties that librdkafka refuses with `group.protocol=consumer`."""
    names = {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"}
    classic = subscriber_properties(subscriber_config(assignment_strategy="cooperative-sticky"))
    consumer = subscriber_properties(subscriber_config(group_protocol="consumer"))

    assert names <= classic.keys()
    assert classic["partition.assignment.strategy"] == "cooperative-sticky"
    assert not names & consumer.keys()


def test_static_member_has_its_instance_id() -> None:
    """Expect `group.instance.id` only where it is given."""
    assert subscriber_properties(subscriber_config(group_instance_id="one"))["group.instance.id"] == "one"
    assert "group.instance.id" not in subscriber_properties(subscriber_config())


@pytest.mark.parametrize(
    ("tls", "sasl", "protocol"),
    [
        pytest.param(None, None, "PLAINTEXT", id="neither"),
        pytest.param(KafkaTls(), None, "SSL", id="tls"),
        pytest.param(None, KafkaSasl(username="u", password="p"), "SASL_PLAINTEXT", id="sasl"),
        pytest.param(KafkaTls(), KafkaSasl(username="u", password="p"), "SASL_SSL", id="both"),
    ],
)
def test_protocol_follows_tls_and_sasl(tls: KafkaTls | None, sasl: KafkaSasl | None, protocol: str) -> None:
    """Expect librdkafka's name for each of the four ways to connect."""
    properties = publisher_properties(publisher_config(tls=tls, sasl=sasl))

    assert properties["security.protocol"] == protocol


def test_certificates_and_login_reach_librdkafka() -> None:
    """Expect every field of TLS and SASL under its librdkafka name."""
    tls = KafkaTls(ca_file="ca", certificate_file="cert", key_file="key", key_password="open", verify_hostname=False)
    sasl = KafkaSasl(mechanism="SCRAM-SHA-512", username="user", password="pass")
    properties = publisher_properties(publisher_config(tls=tls, sasl=sasl))
    security = {name: value for name, value in properties.items() if name.startswith(("ssl.", "sasl."))}

    assert security == {
        "ssl.ca.location": "ca",
        "ssl.certificate.location": "cert",
        "ssl.key.location": "key",
        "ssl.key.password": "open",
        "ssl.endpoint.identification.algorithm": "none",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "user",
        "sasl.password": "pass",
    }


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"username": "user"}, id="no-password"),
        pytest.param({"mechanism": "SCRAM-SHA-256", "password": "hunter2"}, id="no-username"),
        pytest.param({"mechanism": "OAUTHBEARER", "username": "user", "password": "hunter2"}, id="password-for-oauth"),
        pytest.param(
            {"username": "user", "password": "hunter2", "token": lambda text: ("t", 0.0)}, id="token-for-plain"
        ),
    ],
)
def test_incomplete_login_is_refused(settings: dict[str, Any]) -> None:
    """Expect an error that names the fields and shows no password."""
    with pytest.raises(ConfigurationError, match="KafkaSasl") as caught:
        KafkaSasl(**settings)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("properties", [{}, {"sasl.oauthbearer.method": "default"}], ids=["unset", "default"])
def test_login_that_waits_for_a_token_of_nobody_is_refused(properties: dict[str, str]) -> None:
    """Expect OAUTHBEARER without token provider and method to be told, not to wait in silence."""
    with pytest.raises(ConfigurationError, match=r"KafkaPublisherConfig.properties must set sasl.oauthbearer.method"):
        publisher_config(sasl=KafkaSasl(mechanism="OAUTHBEARER"), properties=properties)


@pytest.mark.parametrize(
    "properties",
    [{"sasl.oauthbearer.method": "oidc"}, {"enable.sasl.oauthbearer.unsecure.jwt": True}],
    ids=["oidc", "unsecured"],
)
def test_librdkafka_may_fetch_the_token(properties: dict[str, Property]) -> None:
    """Expect no token provider to be needed where a property says who fetches the token."""
    config = subscriber_config(sasl=KafkaSasl(mechanism="OAUTHBEARER"), properties=properties)

    assert config.properties == properties


def test_certificate_without_key_is_refused() -> None:
    """Expect both or neither."""
    with pytest.raises(ConfigurationError, match="key_file"):
        KafkaTls(certificate_file="cert")


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        pytest.param({"no.such.property": 1}, "no.such.property", id="unknown-name"),
        pytest.param({"retry.backoff.ms": "soon"}, "retry.backoff.ms", id="wrong-value"),
    ],
)
def test_property_that_librdkafka_refuses_is_named(properties: dict[str, Any], named: str) -> None:
    """Expect a configuration error at construction, before any thread runs."""
    with pytest.raises(ConfigurationError, match=named):
        KafkaPublisher(publisher_config(properties=properties))
