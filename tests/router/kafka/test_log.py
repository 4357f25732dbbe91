"""librdkafka's log lines and connection errors, as they appear in ours."""

import socketserver
import threading
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError
from loguru import logger

from millstream.router import ConfigurationError, MillstreamError
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSasl
from millstream.router.kafka.connection import ConnectionWatch
from millstream.router.kafka.log import KafkaLog
from millstream.router.testing import eventually

TEMPLATE = "%s [%s] %s"
CONFIG = KafkaPublisherConfig(brokers=["one:9092"], sasl=KafkaSasl(username="user", password="hunter2"))


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What Millstream logs while the test runs."""
    seen: list[str] = []
    logger.enable("millstream")
    number = logger.add(seen.append, level="TRACE", format="{level} {message} {extra}")
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
        pytest.param(40, "FAIL", "TRACE", id="each-failed-attempt-to-connect"),
        pytest.param(50, "FATAL", "TRACE", id="what-comes-as-an-error-as-well"),
        pytest.param(30, "GETPID", "TRACE", id="each-attempt-to-get-a-producer-id"),
    ],
)
def test_librdkafka_line_gets_its_level(lines: list[str], level: int, facility: str, expected: str) -> None:
    """Expect warnings and worse to be seen, and what repeats for each attempt, 20 times a second, to be TRACE."""
    KafkaLog([]).log(level, TEMPLATE, facility, "client-1", "something {odd} happened")

    assert len(lines) == 1
    assert lines[0].startswith(f"{expected} librdkafka: {facility} [client-1] something {{odd}} happened")


def test_secret_in_a_line_is_masked(lines: list[str]) -> None:
    """Expect the password nowhere, wherever librdkafka put it."""
    KafkaLog(CONFIG.secrets).log(40, TEMPLATE, "SASL", "client-1", "login user/hunter2 failed")

    assert "user/***" in lines[0]
    assert "hunter2" not in lines[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "[thrd:one:9092/bootstrap]: one:9092/bootstrap: Disconnected: closed (after 2ms in state UP)",
            "one:9092/bootstrap: Disconnected: closed (after 2ms in state UP); a listener that wants TLS or SASL,"
            " or wants none, looks the same",
            id="cut at once",
        ),
        pytest.param(
            "one:9092/1: Disconnected: closed (after 61000ms in state UP)",
            "one:9092/1: Disconnected: closed (after 61000ms in state UP)",
            id="cut after a minute",
        ),
        pytest.param("login hunter2 failed", "login *** failed", id="with a secret"),
    ],
)
def test_last_failure_is_the_reason_of_an_outage(text: str, expected: str) -> None:
    """Expect the last FAIL line, without its thread and its secrets, with a hint where the connection was cut at once."""
    log = KafkaLog(CONFIG.secrets)
    before = log.last_failure
    log.log(40, TEMPLATE, "FAIL", "client-1", text)
    log.log(20, TEMPLATE, "OTHER", "client-1", "something else")

    assert before == ""
    assert log.last_failure == expected


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


@pytest.fixture
def cutting_listener() -> Iterator[str]:
    """A listener that closes each connection at once, as one does that wants TLS; its address."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_outage_of_a_listener_of_another_kind_is_told_with_what_the_log_says(
    lines: list[str], cutting_listener: str
) -> None:
    """Expect more than "1/1 brokers are down": how the connection ended, and that TLS or SASL may be missing."""
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[cutting_listener], close_timeout=0.1))
    told = eventually(lambda: any("no Kafka broker can be reached" in line for line in lines), 20.0)
    publisher.close()
    (warning,) = [line for line in lines if "no Kafka broker can be reached" in line]

    assert told
    assert "Disconnected" in warning
    assert "a listener that wants TLS or SASL, or wants none, looks the same" in warning
    assert "[thrd:" not in warning
