"""Settings that every Kafka client needs, and how a setting is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..callables import require_instance
from ..errors import ConfigurationError
from .forbidden import check_properties, refuse
from .names import checked_client
from .redaction import RedactedSettings, mask_urls, secrets_in
from .security import KafkaSasl, KafkaTls

Property = str | int | float | bool
"""A value of a librdkafka property."""

HOST_PORT = re.compile(r"(?:[^\s/:@\[\]\0\ud800-\udfff]+|\[[0-9a-fA-F:.]+(?:%\w+)?\]):(\d{1,5})", re.ASCII)
MAX_PORT = 65_535
MAX_SECONDS = 2_147_483
"""librdkafka counts milliseconds in 32 bits, and what does not fit wraps around unnoticed."""
OAUTH_METHOD, OAUTH_UNSECURED = "sasl.oauthbearer.method", "enable.sasl.oauthbearer.unsecure.jwt"


def require_config(client: str, config: object, kind: type) -> None:
    """Raise ConfigurationError unless *config*, given to a *client*, is a *kind*; says what to pass."""
    group = ", group_id=…" if "group_id" in getattr(kind, "__struct_fields__", ()) else ""
    given = mask_urls(config) if isinstance(config, str) else config
    require_instance(f"{client}(config)", given, kind, f"{kind.__name__}(brokers=[…]{group})")


class KafkaClientConfig(RedactedSettings, frozen=True, kw_only=True):
    """What every Kafka client needs to know.

    Args:
        brokers: some of the cluster's addresses, `host:port`, an IPv6 address in brackets; the rest is learned from them.
        client_id: how the brokers name this client in their logs and quotas.
        tls: encrypt; `None` does not.
        sasl: log in; `None` does not.
        properties: any further librdkafka properties, by their own names. They win over our defaults; those that the delivery
            contract depends on, and those that have a field here, are refused.
    """

    brokers: list[str]
    client_id: str = "millstream"
    tls: KafkaTls | None = None
    sasl: KafkaSasl | None = None
    properties: Mapping[str, Property] = {}

    def __post_init__(self) -> None:
        self._check_brokers()
        checked_client(f"{type(self).__name__}.client_id", self.client_id)
        check_properties(type(self).__name__, self.properties)
        self._check_token()

    def _check_brokers(self) -> None:
        # librdkafka would take a slip for a host that cannot be reached, and wait for it.
        given: object = self.brokers  # whatever the type says
        if not isinstance(given, list | tuple) or not given or not all(isinstance(each, str) for each in given):
            raise self._fault("brokers", "be a list that names at least one host:port", given)
        for broker in self.address.split(","):
            found = HOST_PORT.fullmatch(broker.strip())
            if found is None or not 1 <= int(found[1]) <= MAX_PORT:
                rule = f"name each broker as host:port with a port from 1 to {MAX_PORT} and without a scheme"
                raise self._fault("brokers", rule, mask_urls(broker))

    def _check_token(self) -> None:
        # librdkafka would wait without a word for a token that nobody provides.
        if self.sasl is None or self.sasl.mechanism != "OAUTHBEARER" or self.sasl.token is not None:
            return
        is_unsecured = str(self.properties.get(OAUTH_UNSECURED, "")).lower() == "true"
        if self.properties.get(OAUTH_METHOD, "default") == "default" and not is_unsecured:
            raise ConfigurationError(
                f"{type(self).__name__}.properties must set {OAUTH_METHOD} (such as oidc, with"
                " sasl.oauthbearer.token.endpoint.url, client.id and client.secret) for OAUTHBEARER without a token provider"
            )

    def _refuse(self, forbidden: Mapping[str, str]) -> None:
        refuse(type(self).__name__, self.properties, forbidden)

    def _require(self, is_right: bool, name: str, rule: str) -> None:
        if not is_right:
            raise self._fault(name, rule, getattr(self, name))

    def _fault(self, name: str, rule: str, value: Any) -> ConfigurationError:
        return ConfigurationError(f"{type(self).__name__}.{name} must {rule}, not {value!r}")

    def _require_positive(self, *names: str) -> None:
        for name in names:
            self._require(getattr(self, name) > 0, name, "be more than 0")

    def _require_seconds(self, *names: str, most: int = MAX_SECONDS) -> None:
        for name in names:
            is_right = 0.001 <= getattr(self, name) <= most
            self._require(is_right, name, f"be more than 0: from 0.001 to {most:,} seconds")

    @property
    def address(self) -> str:
        """The brokers in one text, as librdkafka and every Kafka tool want them."""
        return ",".join(broker.strip() for broker in self.brokers)

    @property
    def places(self) -> frozenset[str]:
        """The addresses of the brokers, to be compared with those of another client."""
        return frozenset(broker.strip().lower() for broker in self.brokers)

    @property
    def secrets(self) -> list[str]:
        """What must not appear in any text."""
        own = [self.tls.key_password if self.tls else None, self.sasl.password if self.sasl else None]
        return [secret for secret in (*own, *secrets_in(self.properties)) if secret]
