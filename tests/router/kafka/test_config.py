"""Settings of Kafka clients: what is refused, what librdkafka gets, and that secrets stay secret."""

import itertools
from typing import Any

import msgspec
import pytest
import rich.pretty

from millstream.router import ConfigurationError
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSasl, KafkaSubscriberConfig, KafkaTls
from millstream.router.kafka.properties import publisher_properties, subscriber_properties
from millstream.router.kafka.redaction import hide, is_secret

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
        pytest.param({"linger": -1.0}, "linger", id="negative-linger"),
        pytest.param({"delivery_timeout": 0.0}, "delivery_timeout", id="no-delivery-timeout"),
        pytest.param({"linger": 2.0, "delivery_timeout": 1.0}, "delivery_timeout", id="timeout-within-linger"),
        pytest.param({"max_message_bytes": 10}, "max_message_bytes", id="tiny-message"),
        pytest.param({"buffer_bytes": 1000}, "buffer_bytes", id="buffer-below-message"),
        pytest.param({"buffer_messages": 0}, "buffer_messages", id="no-buffer"),
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
        pytest.param({"pause_after": -0.1}, "pause_after", id="negative-pause"),
        pytest.param({"max_pending": 0}, "max_pending", id="nothing-pending"),
        pytest.param({"heartbeat_interval": 50.0}, "heartbeat_interval", id="heartbeat-after-session"),
        pytest.param({"session_timeout": 400.0}, "session_timeout", id="session-after-poll-interval"),
    ],
)
def test_wrong_subscriber_setting_is_refused_by_name(settings: dict[str, Any], named: str) -> None:
    """Expect an error that names the field."""
    with pytest.raises(ConfigurationError, match=f"KafkaSubscriberConfig.{named}"):
        subscriber_config(**settings)


@pytest.mark.parametrize(
    "name", ["enable.idempotence", "acks", "transactional.id", "client.id", "sasl.password", "error_cb"]
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
    assert properties["topic.metadata.refresh.interval.ms"] == 30_000


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


def test_certificate_without_key_is_refused() -> None:
    """Expect both or neither."""
    with pytest.raises(ConfigurationError, match="key_file"):
        KafkaTls(certificate_file="cert")


def test_secrets_are_in_no_repr() -> None:
    """Expect neither `repr` nor rich to show a password, in fields or in properties, and the rest to be seen."""
    config = publisher_config(
        tls=KafkaTls(key_password="hunter1"),
        sasl=KafkaSasl(username="user", password="hunter2"),
        properties={"ssl.keystore.password": "hunter3", "ssl.key.pem": "hunter4", "compression.type": "lz4"},
    )
    texts = [repr(config), str(config), rich.pretty.pretty_repr(config)]

    assert all("hunter" not in text and "lz4" in text and "user" in text for text in texts)


def test_librdkafka_secrets_are_known_by_name() -> None:
    """Expect every property that librdkafka itself calls sensitive, and no path or name."""
    secret = [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.assertion.private.key.passphrase",
    ]
    plain = ["sasl.username", "ssl.key.location", "sasl.oauthbearer.token.endpoint.url", "compression.type"]

    assert [is_secret(name) for name in secret] == list(itertools.repeat(True, len(secret)))
    assert [is_secret(name) for name in plain] == list(itertools.repeat(False, len(plain)))


def test_longer_secret_is_hidden_first() -> None:
    """Expect nothing of a secret to be left that has another one in it."""
    assert hide("pass pass-word", ["pass", "pass-word", ""]) == "*** ***"


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


def test_secret_in_a_refusal_is_masked() -> None:
    """Expect librdkafka's complaint without the secret that it repeats, and no original error that shows it."""
    config = publisher_config(properties={"hunter2.password": "hunter2"})
    with pytest.raises(ConfigurationError, match=r"\*\*\*\.password") as caught:
        KafkaPublisher(config)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
