"""Secrets of Kafka clients: in no repr, no error, and no variable of a frame that an error came through."""

import contextlib
import itertools
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import rich.pretty
from confluent_kafka import KafkaError, KafkaException

from millstream.router import ConfigurationError
from millstream.router.kafka import (
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSasl,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    KafkaTls,
)
from millstream.router.kafka.client import open_client
from millstream.router.kafka.connection import ConnectionWatch
from millstream.router.kafka.redaction import hide, is_secret

BROKERS = ["localhost:9092"]
URL = "sasl.oauthbearer.token.endpoint.url"


def fetch(_text: str, client_secret: str) -> tuple[str, float]:
    """Return a token, as a provider does that logs in somewhere."""
    return client_secret, 0.0


def test_secrets_are_in_no_repr() -> None:
    """Expect neither `repr` nor rich to show a password, in fields or in properties, and the rest to be seen."""
    config = KafkaPublisherConfig(
        brokers=BROKERS,
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
        "sasl.kerberos.kinit.cmd",
    ]
    plain = ["sasl.username", "ssl.key.location", "sasl.oauthbearer.token.endpoint.url", "compression.type"]

    assert [is_secret(name) for name in secret] == list(itertools.repeat(True, len(secret)))
    assert [is_secret(name) for name in plain] == list(itertools.repeat(False, len(plain)))


def test_longer_secret_is_hidden_first() -> None:
    """Expect nothing of a secret to be left that has another one in it."""
    assert hide("pass pass-word", ["pass", "pass-word", ""]) == "*** ***"


def test_secret_in_a_refusal_is_masked() -> None:
    """Expect librdkafka's complaint without the secret that it repeats, and no original error that shows it."""
    config = KafkaPublisherConfig(brokers=BROKERS, properties={"hunter2.password": "hunter2"})
    with pytest.raises(ConfigurationError, match=r"\*\*\*\.password") as caught:
        KafkaPublisher(config)

    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_what_a_token_provider_logs_in_with_is_in_no_repr() -> None:
    """Expect neither `repr` nor rich to show the arguments of a `partial`."""
    sasl = KafkaSasl(mechanism="OAUTHBEARER", token=partial(fetch, client_secret="hunter2"))
    config = KafkaPublisherConfig(brokers=BROKERS, sasl=sasl)
    texts = [repr(sasl), repr(config), rich.pretty.pretty_repr(config)]

    assert all("hunter" not in text and "token='***'" in text for text in texts)


def test_secret_in_a_reason_is_masked_in_the_text_of_a_line(log_lines: list[str]) -> None:
    """Expect the reason in the text as it came, braces and all, but for the secret in it: of a broker, of a token provider."""

    def refuse(_text: str) -> tuple[str, float]:
        raise ValueError("no {token} for hunter2")

    sasl = KafkaSasl(mechanism="OAUTHBEARER", token=refuse)
    config = KafkaPublisherConfig(brokers=BROKERS, sasl=sasl, properties={"ssl.keystore.password": "hunter2"})
    ConnectionWatch(config).on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "{all} refuse hunter2"))
    with pytest.raises(ConfigurationError, match=r"\{token\} for \*\*\*"):
        open_client(call_back, config, {}, print)

    assert log_lines == [
        "WARNING no Kafka broker can be reached, waiting for one: {all} refuse ***",
        "WARNING the Kafka token provider failed: ValueError: no {token} for ***",
    ]


def call_back(properties: dict[str, Any]) -> None:
    """Ask for a token as librdkafka does, and fail as confluent-kafka does where it gets none."""
    with contextlib.suppress(ValueError):
        properties["oauth_cb"]("")
    raise KafkaException(KafkaError(KafkaError._AUTHENTICATION, "no token"))


@pytest.mark.parametrize("login", ["user:hunter2", "hunter2", "user:hunter2/@2", ":hunter2"])
def test_login_in_a_url_is_in_no_repr_and_no_text(login: str) -> None:
    """Expect the place of a URL to be seen, and what stands before its @ to be masked."""
    config = KafkaPublisherConfig(brokers=BROKERS, properties={URL: f"https://{login}@idp/token"})
    password = login.removeprefix("user").removeprefix(":")
    told = hide(f"{password} does not open https://{login}@idp/token", config.secrets)

    assert "https://***@idp/token" in repr(config)
    assert told == "*** does not open https://***@idp/token"


def subscribe(**settings: Any) -> None:
    """Open a subscription."""
    KafkaSubscriber(KafkaSubscriberConfig(group_id="g", **settings)).subscribe("events")


@pytest.mark.parametrize("opened", [lambda **settings: KafkaPublisher(KafkaPublisherConfig(**settings)), subscribe])
def test_no_frame_of_a_refusal_has_a_secret_in_its_variables(opened: Callable[..., object]) -> None:
    """Expect an error tracker, which shows the variables of each frame, to see no password in clear."""
    sasl = KafkaSasl(username="user", password="hunter2")
    with pytest.raises(ConfigurationError) as caught:
        opened(brokers=BROKERS, tls=KafkaTls(ca_file="/no/such.pem"), sasl=sasl)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in shown.stack if frame.filename != __file__]

    assert frames[-1].name == "open_client"
    assert "hunter2" not in "".join(str(frame.locals) for frame in frames)
