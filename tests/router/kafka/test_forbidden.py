"""Properties that a user may not pass through: under no name, in no spelling and by no value that carries them in."""

import ctypes
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from millstream.router import ConfigurationError
from millstream.router.kafka import KafkaPublisherConfig, KafkaSubscriberConfig
from millstream.router.kafka.forbidden import COMMON, PROPERTY_NAME, PUBLISHER, SUBSCRIBER, TOPIC_PREFIX
from tests.router.kafka.mock_cluster_library import load

BROKERS = ["127.0.0.1:1"]
KINDS = [
    pytest.param(KafkaPublisherConfig, {}, COMMON | PUBLISHER, "P*", id="publisher"),
    pytest.param(KafkaSubscriberConfig, {"group_id": "g"}, COMMON | SUBSCRIBER, "C*", id="subscriber"),
]
CONFLUENT = {"logger", "default.topic.config", "on_delivery", "on_commit", "partitioner_callback"}
"""Names that confluent-kafka takes and librdkafka does not know."""
UNKNOWN = -2
"""librdkafka's RD_KAFKA_CONF_UNKNOWN."""


class Row(NamedTuple):
    """One line of librdkafka's own list of properties."""

    name: str
    clients: str
    """`C`, `P` or `*` for both."""
    alias_of: str


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """What the installed librdkafka says that there is."""
    path = tmp_path_factory.mktemp("librdkafka") / "properties.md"
    c = ctypes.CDLL(None)
    c.fopen.restype, c.fclose.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    file = c.fopen(bytes(path), b"w")
    load().rd_kafka_conf_properties_show(file)
    c.fclose(file)
    found = re.findall(r"^(\S+) +\| +([CP*]) +\|(.*)$", path.read_text(), re.MULTILINE)
    aliases = [re.search(r"Alias for `([^`]+)`", text) for _, _, text in found]
    return [
        Row(name, clients, alias[1] if alias else "") for (name, clients, _), alias in zip(found, aliases, strict=True)
    ]


def is_taken(kind: Any, fields: dict[str, Any], name: Any, value: Any = "1") -> bool:
    """Return whether a configuration may pass *name* through."""
    try:
        kind(brokers=BROKERS, properties={name: value}, **fields)
    except ConfigurationError:
        return False
    return True


def is_known(name: str) -> bool:
    """Return whether librdkafka knows *name*, read as it reads it: up to a NUL."""
    library = load()
    settings, text = library.rd_kafka_conf_new(), ctypes.create_string_buffer(512)
    result: int = library.rd_kafka_conf_set(settings, name.encode(), b"1", text, len(text))
    library.rd_kafka_conf_destroy(settings)
    return result != UNKNOWN


@pytest.mark.parametrize(("kind", "fields", "forbidden", "clients"), KINDS)
def test_each_name_of_a_refused_property_is_refused(
    rows: list[Row], kind: Any, fields: dict[str, Any], forbidden: dict[str, str], clients: str
) -> None:
    """Expect what librdkafka calls an alias, in either direction, to share its fate; and the list to be understood."""
    pairs = [row for row in rows if row.alias_of and row.clients in clients]
    passed = [row for row in pairs if is_taken(kind, fields, row.name) != is_taken(kind, fields, row.alias_of)]

    assert len(rows) > 150
    assert {"acks", "linger.ms"} & {row.name for row in pairs} or kind is KafkaSubscriberConfig
    assert passed == []


@pytest.mark.parametrize(("kind", "fields", "forbidden", "clients"), KINDS)
def test_each_refused_name_is_one_that_a_client_knows(
    rows: list[Row], kind: Any, fields: dict[str, Any], forbidden: dict[str, str], clients: str
) -> None:
    """Expect no slip in the lists."""
    assert set(forbidden) - CONFLUENT <= {row.name for row in rows if row.clients in clients}


@pytest.mark.parametrize(("kind", "fields", "forbidden", "clients"), KINDS)
def test_no_other_spelling_of_a_refused_property_gets_through(
    kind: Any, fields: dict[str, Any], forbidden: dict[str, str], clients: str
) -> None:
    """Expect each spelling to be refused by us or unknown to librdkafka: capitals, blanks, prefixes, a NUL, none."""
    spellings = [
        "{}",
        "{0}\0",
        "{0}\0x",
        " {}",
        "{} ",
        "\t{}",
        "{}\n",
        "topic.{}",
        "topic.topic.{}",
        "topic. {}",
        "-{}",
    ]
    passed = [
        each
        for name in forbidden
        for each in [*(form.format(name) for form in spellings), name.upper(), name.title(), name.replace(".", "_")]
        if is_taken(kind, fields, each) and is_known(each)
    ]

    assert passed == []
    assert is_known("topic.acks")
    assert is_known("acks\0x")


@pytest.mark.parametrize(("kind", "fields", "forbidden", "clients"), KINDS)
def test_every_other_property_may_be_set(
    rows: list[Row], kind: Any, fields: dict[str, Any], forbidden: dict[str, str], clients: str
) -> None:
    """Expect the rule for names to fit all of librdkafka's, and only what is listed or a callback to be refused."""
    refused = {row.name for row in rows if row.clients in clients and not is_taken(kind, fields, row.name)}

    assert all(PROPERTY_NAME.fullmatch(row.name) for row in rows)
    assert {name for name in refused - set(forbidden) if not name.endswith("_cb")} == set()


@pytest.mark.parametrize(("kind", "fields", "forbidden", "clients"), KINDS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"acks": "0", "auto.offset.reset": "latest"}, id="dict"),
        pytest.param(["hunter2"], id="list"),
        pytest.param(None, id="none"),
        pytest.param(b"hunter2", id="bytes"),
        pytest.param(print, id="function"),
        pytest.param("hunter2\0", id="nul"),
        pytest.param("hunter2\ud800", id="half-a-character"),
    ],
)
def test_value_that_is_no_plain_one_is_refused_by_the_name_of_its_property(
    kind: Any, fields: dict[str, Any], forbidden: dict[str, str], clients: str, value: Any
) -> None:
    """Expect no value in the error: it may be a secret. `default.topic.config` is refused whatever its value."""
    for name in ("client.rack", "default.topic.config"):
        with pytest.raises(ConfigurationError, match=rf"^{kind.__name__}\.properties must .*{name}") as caught:
            kind(brokers=BROKERS, properties={name: value}, **fields)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("name", [b"client.rack", 5, None, "", "Client.Rack", "client rack"])
def test_name_that_is_none_of_librdkafkas_is_refused(name: Any) -> None:
    """Expect an error, and not what confluent-kafka makes of it."""
    with pytest.raises(ConfigurationError, match=r"properties must have names as librdkafka writes them"):
        KafkaPublisherConfig(brokers=BROKERS, properties={name: "x"})


@pytest.mark.parametrize("properties", [None, [("client.rack", "x")], "client.rack=x"])
def test_properties_that_are_no_mapping_are_refused(properties: Any) -> None:
    """Expect an error that names the field."""
    with pytest.raises(ConfigurationError, match=r"^KafkaPublisherConfig\.properties must map"):
        KafkaPublisherConfig(brokers=BROKERS, properties=properties)


def test_prefix_is_the_one_that_librdkafka_takes() -> None:
    """Expect the name of a topic's property to be known with it, and that of a client's not."""
    assert is_known(f"{TOPIC_PREFIX}acks")
    assert not is_known(f"{TOPIC_PREFIX}client.id")


def test_plain_values_of_every_kind_are_taken(tmp_path: Path) -> None:
    """Expect text, whole numbers, fractions and truth values to pass through as they are."""
    properties = {"client.rack": "a", "check.crcs": True, "fetch.wait.max.ms": 5, "linger": 0.5}

    assert KafkaSubscriberConfig(brokers=BROKERS, group_id="g", properties=properties).properties == properties
