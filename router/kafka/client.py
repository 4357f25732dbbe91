"""Opening librdkafka clients: the one place where our settings, callbacks and log meet them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from confluent_kafka import KafkaError, KafkaException
from loguru import logger

from ..errors import ConfigurationError
from .client_config import KafkaClientConfig
from .log import KafkaLog
from .properties import Properties
from .redaction import hide
from .security import TokenProvider

Client = TypeVar("Client")


def open_client(
    factory: Callable[[dict[str, Any]], Client],
    config: KafkaClientConfig,
    properties: Properties,
    on_error: Callable[[KafkaError], None],
    on_statistics: Callable[[str], None] | None = None,
) -> Client:
    """Return a client of the kind *factory* (`Producer`, `Consumer`, `AdminClient`).

    Does not wait for a broker, but up to 10 s (confluent-kafka's) for the first token of a token provider.

    Args:
        factory: makes the client.
        config: for the log, the token provider and the secrets to hide.
        properties: what `publisher_properties` or its like made of the configuration.
        on_error: called by whoever polls the client.
        on_statistics: the same, with JSON, every `statistics.interval.ms`.

    Raises:
        ConfigurationError: librdkafka refuses a property or cannot read a certificate; names it.
    """
    log = KafkaLog(config.secrets)
    callbacks: dict[str, Any] = {"logger": log, "error_cb": _with_reason(on_error, log)}
    if on_statistics is not None:
        callbacks["stats_cb"] = on_statistics
    tokens = None if config.sasl is None or config.sasl.token is None else _TokenSource(config.sasl.token, config)
    if tokens is not None:
        callbacks["oauth_cb"] = tokens
    try:
        return factory({**_as_plain_text(properties), **callbacks})
    except KafkaException as error:
        reason = error.args[0].str()
    except (TypeError, ValueError) as error:
        reason = str(error)
    # Error trackers show the variables of the frames that an error came through, and these have the passwords in clear.
    del properties
    # Outside the handlers: the original, as a context, would show what was just hidden.
    raise _refusal(config, reason, "" if tokens is None else tokens.failure)


def _as_plain_text(properties: Properties) -> Properties:
    """Return *properties* with every text as exactly a `str`: of a member of an enum confluent-kafka would take the name."""
    return {
        str.__str__(name): str.__str__(value) if isinstance(value, str) else value for name, value in properties.items()
    }


def _refusal(config: KafkaClientConfig, reason: str, token_failure: str) -> ConfigurationError:
    if token_failure:
        reason = f"{reason}; the token provider raised {token_failure}"
    text = f"the Kafka client of {config.address} cannot be opened: {hide(reason, config.secrets)}"
    return ConfigurationError(text)


def _with_reason(on_error: Callable[[KafkaError], None], log: KafkaLog) -> Callable[[KafkaError], None]:
    """Return *on_error*, told before each "all brokers are down" why: that a listener wants TLS is said in the log only."""

    def told(error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN and log.last_failure:
            on_error(KafkaError(KafkaError._TRANSPORT, log.last_failure))
        on_error(error)

    return told


class _TokenSource:
    """Calls the user's token provider and remembers why it failed: librdkafka says only that there is no token."""

    def __init__(self, provider: TokenProvider, config: KafkaClientConfig) -> None:
        self.failure = ""
        self._provider = provider
        self._config = config

    def __call__(self, text: str) -> tuple[str, float]:
        try:
            return self._provider(text)
        except Exception as error:
            self.failure = hide(f"{type(error).__name__}: {error}", self._config.secrets)
            logger.warning("the Kafka token provider failed: {reason}", reason=self.failure)
            raise
