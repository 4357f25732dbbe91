"""Whether brokers can be reached, said once each time it changes."""

from __future__ import annotations

from confluent_kafka import KafkaError
from loguru import logger

from ..errors import ConfigurationError, MillstreamError
from .client_config import KafkaClientConfig
from .errors import UNAUTHORIZED
from .redaction import hide

CREDENTIALS = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.ILLEGAL_SASL_STATE,
    }
)
PROVIDER_FAILED = "Failed to acquire SASL OAUTHBEARER token"
"""How librdkafka begins what it says of a token provider that failed: by its code it is a refusal like any other."""


class ConnectionWatch:
    """Listens to a client's errors (`on_error`) and successes (`on_contact`, `on_login`), all on its poll thread.

    An outage is waited out: one warning, one line when it is over. Credentials that are refused before anything has worked are
    the user's to mend and end in `failure`; later they count as an outage, as passwords and certificates are renewed while
    programs run. A token provider that fails is always an outage: without a first token no client opens.
    """

    def __init__(self, config: KafkaClientConfig) -> None:
        self.is_in_contact = False
        """Whether the last that was heard is good: a message confirmed or received, a question answered."""
        self.failure: MillstreamError | None = None
        """What waiting does not mend."""
        self._config = config
        self._has_provider = config.sasl is not None and config.sasl.token is not None
        self.has_logged_in = False
        """Whether a broker has ever let us in."""
        self.outage = ""
        """Why no broker can be reached; empty while one can, or nobody knows."""
        self._reason = ""
        self._log = logger.bind(client=config.client_id, brokers=config.address)

    def on_error(self, error: KafkaError) -> None:
        """Take note of what librdkafka reports outside of any call."""
        if self.failure is not None:
            return
        if error.fatal():
            self.on_raised(error)
        elif _is_refusal(error) and not self._is_known(error):
            self.failure = ConfigurationError(
                f"{self._config.address} refused us: {self._text(error)}; mend tls or sasl in the Kafka settings"
            )
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._go_down(self._reason or self._text(error))
        elif _is_refusal(error):
            self._go_down(self._text(error))
        else:
            self._reason = self._text(error)

    def on_raised(self, error: KafkaError) -> None:
        """Take note of what came out of a poll as an exception: nothing goes on after that. Fatal errors come so."""
        if self.failure is not None:
            return
        if error.code() in UNAUTHORIZED:
            self.failure = ConfigurationError(
                f"{self._config.address} does not let us work: {self._text(error)}; have the right granted to this user"
            )
        else:
            self.failure = MillstreamError(f"the Kafka client cannot go on: {self._text(error)}; open a new one")

    def on_login(self) -> None:
        """Take note that a broker has let us in, by an answer of any kind. Cheap."""
        self.has_logged_in = True

    def on_contact(self) -> None:
        """Take note that something worked. Cheap only for who looks at `is_in_contact` first."""
        self.is_in_contact = self.has_logged_in = True
        if self.outage:
            self.outage = ""
            self._log.info("Kafka brokers are back")

    def _go_down(self, reason: str) -> None:
        self.is_in_contact = False
        if not self.outage:
            self.outage = reason
            self._log.warning("no Kafka broker can be reached, waiting for one: {reason}", reason=reason)

    def _is_known(self, error: KafkaError) -> bool:
        """Tell whether what is refused has worked before."""
        return self.has_logged_in or (self._has_provider and error.str().startswith(PROVIDER_FAILED))

    def _text(self, error: KafkaError) -> str:
        return hide(error.str(), self._config.secrets)


def _is_refusal(error: KafkaError) -> bool:
    """Tell whether somebody said no; a broker that went away in the middle of a handshake, as in a restart, did not."""
    return error.code() in CREDENTIALS and "Disconnected" not in error.str()
