"""Credentials of a publisher: refused before anything has worked they are an error, later an outage, also of an idle one."""

from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError
from confluent_kafka.admin import ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion
from loguru import logger

from millstream.router import ConfigurationError, Message
from millstream.router.kafka import KafkaPublisher, KafkaPublisherConfig, KafkaSasl
from millstream.router.kafka.connection import ConnectionWatch
from millstream.router.testing import eventually
from tests.router.kafka.mock_cluster import MockCluster
from tests.router.kafka.raw_records import read_records
from tests.router.kafka.real_kafka import OwnKafka, unique

TIMEOUT = 90.0
NO_TOKEN = KafkaError(
    KafkaError._AUTHENTICATION, "Failed to acquire SASL OAUTHBEARER token: the identity provider is away"
)
BAD_TOKEN = KafkaError(KafkaError._AUTHENTICATION, "sasl_ssl://one:9092/1: SASL authentication error: invalid_token")


@pytest.fixture
def all_lines() -> Iterator[list[str]]:
    """What Millstream logs while the test runs, each attempt to connect among it."""
    seen: list[str] = []
    logger.enable("millstream")
    number = logger.add(seen.append, level="TRACE", format="{level} {message}")
    yield seen
    logger.remove(number)
    logger.disable("millstream")


def watch_with_provider() -> ConnectionWatch:
    """Return the watch of a client that has a token provider."""
    sasl = KafkaSasl(mechanism="OAUTHBEARER", token=lambda _text: ("token", 0.0))
    return ConnectionWatch(KafkaPublisherConfig(brokers=["one:9092"], sasl=sasl))


def test_token_provider_that_fails_later_is_an_outage() -> None:
    """Expect no failure though nothing was published yet: no client opens without a first token, so it has worked."""
    watch = watch_with_provider()
    watch.on_error(NO_TOKEN)

    assert watch.failure is None
    assert "identity provider" in watch.outage


def test_token_that_brokers_refuse_is_an_error() -> None:
    """Expect a token that never worked to be the user's to mend."""
    watch = watch_with_provider()
    watch.on_error(BAD_TOKEN)

    assert isinstance(watch.failure, ConfigurationError)


def test_library_that_gets_no_token_at_all_is_an_error() -> None:
    """Expect librdkafka's own ways to a token to be judged like a password: nothing has worked yet."""
    sasl, oidc = KafkaSasl(mechanism="OAUTHBEARER"), {"sasl.oauthbearer.method": "oidc"}
    watch = ConnectionWatch(KafkaPublisherConfig(brokers=["one:9092"], sasl=sasl, properties=oidc))
    watch.on_error(NO_TOKEN)

    assert isinstance(watch.failure, ConfigurationError)


def test_refusal_after_any_answer_is_an_outage() -> None:
    """Expect an answer of a broker, be it a refusal of a message, to prove the credentials."""
    watch = watch_with_provider()
    watch.on_login()
    watch.on_error(BAD_TOKEN)

    assert watch.failure is None
    assert watch.outage


@pytest.mark.slow
def test_idle_publisher_notices_that_brokers_are_there(mock_cluster: MockCluster, log_lines: list[str]) -> None:
    """Expect it to ask them by itself: nothing is published that would tell."""
    mock_cluster.set_down()
    quick = {"reconnect.backoff.ms": 10, "reconnect.backoff.max.ms": 50}
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[mock_cluster.bootstrap_servers], properties=quick))
    is_warned = eventually(lambda: any("no Kafka broker" in line for line in log_lines), TIMEOUT)
    mock_cluster.set_up()
    is_told = eventually(lambda: any("Kafka brokers are back" in line for line in log_lines), TIMEOUT)
    publisher.close()

    assert is_warned
    assert is_told


def test_idle_publisher_outlives_a_password_that_is_renewed(own_kafka: OwnKafka, all_lines: list[str]) -> None:
    """Expect a login refused at its first message to be waited out, as it had logged in before, and that message written."""
    topic, user = own_kafka.create_topic(), unique("user")
    set_password(own_kafka, user, "first")
    own_kafka.stop()
    sasl = KafkaSasl(mechanism="SCRAM-SHA-256", username=user, password="first")
    publisher = KafkaPublisher(KafkaPublisherConfig(brokers=[own_kafka.addresses["SASL_PLAINTEXT"]], sasl=sasl))
    wait_for(all_lines, "no Kafka broker can be reached")
    own_kafka.start()
    wait_for(all_lines, "Kafka brokers are back")
    set_password(own_kafka, user, "second")
    own_kafka.stop()
    own_kafka.start()
    confirmation = publisher.publish_async(topic, Message(b"payload"))
    wait_for(all_lines, "uthentication failed")
    set_password(own_kafka, user, "first")
    confirmation.wait(TIMEOUT)
    publisher.close()

    assert publisher.error is None
    assert confirmation.error is None
    assert [record.value() for record in read_records(own_kafka.bootstrap_servers, topic, 1)] == [b"payload"]


def wait_for(lines: list[str], text: str) -> None:
    """Wait until a line has *text* in it."""
    assert eventually(lambda: any(text in line for line in lines), TIMEOUT), lines


def set_password(kafka: OwnKafka, user: str, password: str) -> None:
    """Give *user* a password, and wait until the broker has it."""
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096)
    change = UserScramCredentialUpsertion(user, info, password.encode())
    kafka.admin.alter_user_scram_credentials([change])[user].result(TIMEOUT)
