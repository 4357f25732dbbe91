"""librdkafka's log lines and connection errors, as they appear in ours."""

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError
from loguru import logger

from millstream.router import ConfigurationError, MillstreamError
from millstream.router.kafka import KafkaPublisherConfig, KafkaSasl
from millstream.router.kafka.connection import ConnectionWatch
from millstream.router.kafka.log import KafkaLog

TEMPLATE = "%s [%s] %s"
CONFIG = KafkaPublisherConfig(brokers=["one:9092"], sasl=KafkaSasl(username="user", password="hunter2"))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What Millstream logs while the test runs."""
    seen: list[str] = []
    logger.enable("millstream")
    number = logger.add(seen.append, level="DEBUG", format="{level} {message} {extra}")
    yield seen
    logger.remove(number)
    logger.disable("millstream")


@pytest.mark.parametrize(
    ("level", "facility", "expected"),
    [
        pytest.param(50, "CRIT", "WARNING", id="critical"),
        pytest.param(40, "SASL", "WARNING", id="error"),
        pytest.param(30, "CONFWARN", "WARNING", id="warning"),
        pytest.param(20, "GETSUBSCRIPTIONS", "DEBUG", id="info"),
        pytest.param(40, "FAIL", "DEBUG", id="each-failed-attempt-to-connect"),
        pytest.param(30, "GETPID", "DEBUG", id="each-attempt-to-get-a-producer-id"),
    ],
)
def test_librdkafka_line_gets_its_level(lines: list[str], level: int, facility: str, expected: str) -> None:
    """Expect warnings and worse to be seen, and what repeats for each attempt to be DEBUG."""
    KafkaLog([]).log(level, TEMPLATE, facility, "client-1", "something {odd} happened")

    assert len(lines) == 1
    assert lines[0].startswith(f"{expected} librdkafka: {facility} [client-1] something {{odd}} happened")


def test_secret_in_a_line_is_masked(lines: list[str]) -> None:
    """Expect the password nowhere, wherever librdkafka put it."""
    KafkaLog(CONFIG.secrets).log(40, TEMPLATE, "SASL", "client-1", "login user/hunter2 failed")

    assert "user/***" in lines[0]
    assert "hunter2" not in lines[0]


@pytest.mark.parametrize("code", [KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED])
def test_refused_credentials_are_a_configuration_error(code: int) -> None:
    """Expect one line with the brokers and the reason, without the password."""
    watch = ConnectionWatch(CONFIG)
    watch.on_error(KafkaError(code, "password hunter2 is wrong"))

    assert isinstance(watch.failure, ConfigurationError)
    assert "one:9092" in str(watch.failure)
    assert "password *** is wrong" in str(watch.failure)


def test_credentials_refused_later_are_waited_out(lines: list[str]) -> None:
    """Expect a warning instead of a failure once the same credentials have worked."""
    watch = ConnectionWatch(CONFIG)
    watch.on_contact()
    watch.on_error(KafkaError(KafkaError._AUTHENTICATION, "expired"))
    watch.on_contact()

    assert watch.failure is None
    assert [line.split()[0] for line in lines] == ["WARNING", "INFO"]


def test_connection_cut_in_a_handshake_is_an_outage() -> None:
    """Expect a broker that goes away while TLS is set up not to be taken for a bad certificate."""
    watch = ConnectionWatch(CONFIG)
    watch.on_error(
        KafkaError(KafkaError._SSL, "SSL handshake failed: Disconnected: connecting to a PLAINTEXT listener?")
    )

    assert watch.failure is None


def test_outage_is_said_once_with_its_reason(lines: list[str]) -> None:
    """Expect one warning for any number of reports, and a second one only after the brokers were back."""
    watch = ConnectionWatch(CONFIG)
    for _ in range(3):
        watch.on_error(KafkaError(KafkaError._TRANSPORT, "one:9092: connection refused"))
        watch.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    warned = list(lines)
    watch.on_contact()
    watch.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))

    assert len(warned) == 1
    assert "connection refused" in warned[0]
    assert len(lines) == 3


def test_fatal_error_ends_the_client() -> None:
    """Expect what librdkafka calls fatal to be a failure, even after contact."""
    watch = ConnectionWatch(CONFIG)
    watch.on_contact()
    watch.on_error(KafkaError(KafkaError._FENCED, "another instance", True))

    assert isinstance(watch.failure, MillstreamError)
    assert "another instance" in str(watch.failure)


def test_contact_is_lost_with_the_outage() -> None:
    """Expect `is_in_contact`, which spares the happy path a call, to be False until something works."""
    watch = ConnectionWatch(CONFIG)
    before = watch.is_in_contact
    watch.on_contact()
    during = watch.is_in_contact
    watch.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))

    assert (before, during, watch.is_in_contact) == (False, True, False)
