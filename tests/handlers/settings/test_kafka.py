"""The `[kafka]` section: what it refuses, in its own words, and what it makes for both kinds of client."""

from pathlib import Path

import pytest

from millstream.handlers.settings import load_settings
from millstream.handlers.settings.kafka import KafkaConfig
from millstream.router import ConfigurationError
from millstream.router.kafka import KafkaPublisherConfig, KafkaSasl, KafkaSubscriberConfig, KafkaTls

LOGIN = {"use_sasl": True, "sasl_user": "user", "sasl_password": "hunter2"}

MISTAKES = [
    pytest.param(
        "[kafka.properties]\n'linger.ms' = 5", "kafka.properties must not set linger.ms: use linger", id="own setting"
    ),
    pytest.param(
        "[kafka.properties]\n'sasl.password' = 'hunter2'",
        "must not set sasl.password: set use_sasl, sasl_mechanism, sasl_user and sasl_password",
        id="several settings",
    ),
    pytest.param(
        "[kafka.properties]\n'security.protocol' = 'SSL'", "security.protocol: set tls and use_sasl", id="switches"
    ),
    pytest.param(
        "[kafka.properties]\n'ssl.ca.location' = 'ca.pem'", "ssl.ca.location: set tls, tls_ca_cert_file, ", id="files"
    ),
    pytest.param(
        "[kafka.properties]\nsocket.timeout.ms = 5000",
        'kafka.properties.socket.timeout.ms: write the name in quotes, "socket.timeout.ms" = …',
        id="name without quotes",
    ),
    pytest.param(
        "[kafka.properties]\n'log_level' = 0\nsasl.oauthbearer.client.secret = 'hunter2'",
        'write the name in quotes, "sasl.oauthbearer.client.secret" = …',
        id="secret without quotes",
    ),
    pytest.param("[kafka.properties]\na = [1]", "kafka.properties must be a table", id="list for a property"),
    pytest.param("[kafka]\nproperties = 5", "kafka.properties must be a table", id="number for the properties"),
    pytest.param(
        "[kafka]\nuse_sasl = true\nsasl_mechanism = 'OAUTHBEARER'",
        "kafka.properties must set sasl.oauthbearer.method (such as oidc",
        id="token of nobody",
    ),
    pytest.param(
        "[kafka]\nuse_sasl = true\nsasl_mechanism = 'OAUTHBEARER'\nsasl_user = 'u'\nsasl_password = 'hunter2'",
        "kafka.sasl_user and sasl_password are not for OAUTHBEARER",
        id="password for a token",
    ),
    pytest.param("[kafka]\nbrokers = ['http://u:hunter2@x']", "not 'http://***@x'", id="scheme"),
    pytest.param("[kafka]\nlinger = -1", "kafka.linger must not be negative", id="negative linger"),
    pytest.param("[kafka]\nbuffer_bytes = 1000", "kafka.buffer_bytes must be at least max_message_bytes", id="buffer"),
    pytest.param("[kafka]\nmax_message_bytes = 1", "kafka.max_message_bytes must be 1,000 to", id="message size"),
    pytest.param("[kafka]\nbuffer_messages = 0", "kafka.buffer_messages must be more than 0", id="no buffer"),
    pytest.param('[kafka]\nclient_id = "a\\"b"', "kafka.client_id must be text in UTF-8", id="client id with a quote"),
    pytest.param(
        "[kafka]\ntls = true\ntls_ca_cert_file = ' ca.pem'", "kafka.tls_ca_cert_file must be text", id="blank in a file"
    ),
    pytest.param(
        '[kafka]\nuse_sasl = true\nsasl_user = "u"\nsasl_password = "hunter2\\u0000"',
        "kafka.sasl_password must be text",
        id="nul in a password",
    ),
    pytest.param(
        "[kafka.properties]\n'default.topic.config' = 'hunter2'",
        "kafka.properties must not set default.topic.config: give what is in it by name",
        id="properties in a property",
    ),
    pytest.param("[kafka]\ngroup_protocol = 'new'", "kafka.group_protocol", id="no such protocol"),
    pytest.param("[kafka]\nassignment_strategy = 'sticky'", "kafka.assignment_strategy", id="no such strategy"),
    pytest.param("[kafka]\nstart_from = 'end'", "kafka.start_from", id="no such start"),
    pytest.param("[kafka]\ngroup_instance_id = 'pod 0'", "kafka.group_instance_id must be 1 to 249", id="instance"),
    pytest.param(
        "[kafka]\nsession_timeout = 2.0", "kafka.session_timeout must be more than 3, the", id="short session"
    ),
    pytest.param("[kafka]\nsession_timeout = 600.0", "kafka.session_timeout must be at most", id="long session"),
    pytest.param("[kafka]\ndelivery_timeout = 3e6", "kafka.delivery_timeout must be more than 0: from", id="wraps"),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES)
def test_a_mistake_is_told_in_the_words_of_the_section(tmp_path: Path, text: str, told: str) -> None:
    """The line begins with the file, names settings that exist, and shows no secret."""
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, {})

    assert str(caught.value).startswith(f"{path}: kafka.")
    assert told in str(caught.value)
    assert "hunter" not in str(caught.value)


def test_the_settings_of_a_publisher_are_those_of_the_section() -> None:
    """Every key that a publisher has reaches it, and without any the publisher's own defaults hold."""
    keys = {"linger": 0.1, "delivery_timeout": 9.0, "max_message_bytes": 2000}
    buffers = {"buffer_messages": 20, "buffer_bytes": 4000}
    config = KafkaConfig(brokers=["one:1"], partitioner="fnv1a_random", **keys, **buffers).publisher_config()

    assert config == KafkaPublisherConfig(brokers=["one:1"], partitioner="fnv1a_random", **keys, **buffers)
    assert KafkaConfig(brokers=["one:1"]).publisher_config() == KafkaPublisherConfig(brokers=["one:1"])


def test_a_subscriber_reaches_the_same_cluster() -> None:
    """Brokers, TLS, login, name and properties are the section's; the rest is given, or the subscriber's default."""
    section = KafkaConfig(
        brokers=["one:1"], client_id="me", tls=True, tls_ca_cert_file="ca", properties={"log_level": 0}, **LOGIN
    )
    config = section.subscriber_config("group", start_from="latest")

    assert (config.brokers, config.group_id, config.client_id) == (["one:1"], "group", "me")
    assert config.tls == KafkaTls(ca_file="ca")
    assert config.sasl == KafkaSasl(username="user", password="hunter2")
    assert config.properties == {"log_level": 0}
    assert (config.start_from, config.session_timeout) == ("latest", 45.0)


GROUP = {
    "start_from": "latest",
    "group_protocol": "consumer",
    "assignment_strategy": "cooperative-sticky",
    "group_instance_id": "pod-0",
    "session_timeout": 9.5,
}
"""The keys of members of a group, none at its default."""


def test_what_makes_a_member_of_a_group_reaches_a_subscriber() -> None:
    """Each key has its field; without any of them the subscriber's own defaults hold."""
    config = KafkaConfig(brokers=["one:1"], **GROUP).subscriber_config("group")

    assert config == KafkaSubscriberConfig(brokers=["one:1"], group_id="group", **GROUP)
    assert KafkaConfig(brokers=["one:1"]).subscriber_config("group") == KafkaSubscriberConfig(
        brokers=["one:1"], group_id="group"
    )


def test_what_makes_a_member_of_a_group_can_come_from_the_environment(tmp_path: Path) -> None:
    """As text, like everything else there."""
    path = tmp_path / "settings.toml"
    path.write_text("")
    variables = {f"MILLSTREAM_KAFKA__{name.upper()}": str(value) for name, value in GROUP.items()}
    section = load_settings(path, variables).kafka

    assert {name: getattr(section, name) for name in GROUP} == GROUP


def test_what_is_given_to_a_subscriber_wins_over_the_section() -> None:
    """As an instance id does that a command was given."""
    section = KafkaConfig(brokers=["one:1"], **GROUP)

    assert section.subscriber_config("group", group_instance_id="pod-1").group_instance_id == "pod-1"


def test_brokers_that_are_given_win() -> None:
    """Both kinds of client take them instead of the section's."""
    section = KafkaConfig(brokers=["one:1"])
    configs = [section.publisher_config(["two:2"]), section.subscriber_config("group", ["two:2"])]

    assert [config.brokers for config in configs] == [["two:2"], ["two:2"]]


def test_a_subscriber_without_brokers_or_with_a_wrong_field_is_refused() -> None:
    """The error says where brokers are set, or names the field."""
    with pytest.raises(ConfigurationError, match="MILLSTREAM_KAFKA__BROKERS"):
        KafkaConfig().subscriber_config("group")
    with pytest.raises(ConfigurationError, match=r"kafka\.commit_interval must be"):
        KafkaConfig(brokers=["one:1"]).subscriber_config("group", commit_interval=0.0)
