"""Whether brokers can be reached, said once each time it changes."""

from __future__ import annotations

from confluent_kafka import KafkaError
from loguru import logger

from ..errors import ConfigurationError, MillstreamError
from .config import KafkaClientConfig
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


class ConnectionWatch:
    """Listens to a client's errors (`on_error`) and successes (`on_contact`), both on its poll thread.

    An outage is waited out: one warning, one line when it is over. Credentials that are refused before anything has worked are
    the user's to mend and end in `failure`; later they count as an outage, as passwords and certificates are renewed while
    programs run.
    """

    def __init__(self, config: KafkaClientConfig) -> None:
        self.is_in_contact = False
        """Whether the last that was heard is good: a message confirmed or received."""
        self.failure: MillstreamError | None = None
        """What waiting does not mend."""
        self._config = config
        self._was_in_contact = False
        self.outage = ""
        """Why no broker can be reached; empty while one can, or nobody knows."""
        self._reason = ""
        self._log = logger.bind(client=config.client_id, brokers=config.address)

    def on_error(self, error: KafkaError) -> None:
        """Take note of what librdkafka reports outside of any call."""
        if self.failure is not None:
            return
        if error.fatal():
            self.failure = MillstreamError(f"the Kafka client cannot go on: {self._text(error)}; open a new one")
        elif _is_refusal(error) and not self._was_in_contact:
            self.failure = ConfigurationError(
                f"{self._config.address} refused us: {self._text(error)}; mend tls or sasl in the Kafka settings"
            )
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._go_down(self._reason or self._text(error))
        elif _is_refusal(error):
            self._go_down(self._text(error))
        else:
            self._reason = self._text(error)

    def on_contact(self) -> None:
        """Take note that something worked. Cheap only for who looks at `is_in_contact` first."""
        self.is_in_contact = self._was_in_contact = True
        if self.outage:
            self.outage = ""
            self._log.info("Kafka brokers are back")

    def _go_down(self, reason: str) -> None:
        self.is_in_contact = False
        if not self.outage:
            self.outage = reason
            self._log.bind(reason=reason).warning("no Kafka broker can be reached, waiting for one")

    def _text(self, error: KafkaError) -> str:
        return hide(error.str(), self._config.secrets)


def _is_refusal(error: KafkaError) -> bool:
    """Tell whether somebody said no; a broker that went away in the middle of a handshake, as in a restart, did not."""
    return error.code() in CREDENTIALS and "Disconnected" not in error.str()
