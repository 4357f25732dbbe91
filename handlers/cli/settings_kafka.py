"""The `[kafka]` section: where the brokers are and how a client proves who it is."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from millstream.router import ConfigurationError
from millstream.router.kafka import KafkaPublisherConfig, KafkaSasl, KafkaTls
from millstream.router.kafka.config import Partitioner, Property
from millstream.router.kafka.redaction import Settings as RedactedSettings
from millstream.router.kafka.redaction import shown
from millstream.router.kafka.security import SaslMechanism

SECRET_KEYS = ("sasl_password", "tls_key_password", "properties")
"""Keys whose value no error shows."""
NOT_GIVEN = "localhost:9092"
"""Stands in for the brokers while everything else is checked."""


class KafkaConfig(RedactedSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Kafka is reached: the `[kafka]` section. Its `repr` shows no secret.

    Args:
        brokers: some of the cluster's addresses, `host:port`.
        client_id: how the brokers name this client in their logs and quotas.
        tls: encrypt the connection; not implied by `use_sasl`.
        tls_ca_cert_file: certificates of who may vouch for a broker, PEM; `None`: those of the system.
        tls_certificate_file, tls_key_file: our own certificate and its key, where the brokers ask for one.
        tls_key_password: what the key is encrypted with.
        tls_verify_hostname: whether a broker's certificate must name the host that we connect to.
        use_sasl: log in.
        sasl_mechanism, sasl_user, sasl_password: how, and as whom.
        partitioner: which partition a key goes to; `fnv1a_random` agrees with Go services.
        delivery_timeout: seconds after which a message that was not confirmed has failed, however long the brokers are away.
        properties: further librdkafka properties, by their own names; only in a file.

    Raises:
        ConfigurationError: values that do not go together, or a property that may not be set.
    """

    brokers: list[str] = msgspec.field(default_factory=list)
    client_id: str = "millstream"
    tls: bool = False
    tls_ca_cert_file: str | None = None
    tls_certificate_file: str | None = None
    tls_key_file: str | None = None
    tls_key_password: str | None = None
    tls_verify_hostname: bool = True
    use_sasl: bool = False
    sasl_mechanism: SaslMechanism = "PLAIN"
    sasl_user: str | None = None
    sasl_password: str | None = None
    partitioner: Partitioner = "consistent_random"
    delivery_timeout: float = 300.0
    properties: dict[str, Property] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        self._refuse_without_switch(
            "tls", "tls_ca_cert_file", "tls_certificate_file", "tls_key_file", "tls_key_password"
        )
        self._refuse_without_switch("use_sasl", "sasl_user", "sasl_password")
        self._make(self.brokers or [NOT_GIVEN])

    def __rich_repr__(self) -> list[tuple[str, object]]:
        masked = ("tls_key_password", "sasl_password")
        return [
            (name, "***" if name in masked and value is not None else shown(name, value))
            for name in self.__struct_fields__
            for value in [getattr(self, name)]
        ]

    def _refuse_without_switch(self, switch: str, *keys: str) -> None:
        for key in keys:
            if getattr(self, key) is not None and not getattr(self, switch):
                raise ConfigurationError(f"kafka.{key} has no effect without {switch} = true")

    def publisher_config(self, brokers: Sequence[str] = ()) -> KafkaPublisherConfig:
        """Return the settings of a publisher.

        Args:
            brokers: win over those of the section.

        Raises:
            ConfigurationError: there are no brokers, here or there.
        """
        chosen = list(brokers) or self.brokers
        if not chosen:
            raise ConfigurationError(
                "no Kafka brokers are set: give --brokers host:port, kafka.brokers or MILLSTREAM_KAFKA__BROKERS"
            )
        return self._make(chosen)

    def _make(self, brokers: list[str]) -> KafkaPublisherConfig:
        try:
            return KafkaPublisherConfig(
                brokers=brokers,
                client_id=self.client_id,
                tls=self._tls(),
                sasl=self._sasl(),
                partitioner=self.partitioner,
                delivery_timeout=self.delivery_timeout,
                properties=self.properties,
            )
        except ConfigurationError as error:
            raise ConfigurationError(f"kafka.{str(error).removeprefix('KafkaPublisherConfig.')}") from None

    def _tls(self) -> KafkaTls | None:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ConfigurationError("tls_certificate_file and tls_key_file belong together: give both or neither")
        if not self.tls:
            return None
        return KafkaTls(
            ca_file=self.tls_ca_cert_file,
            certificate_file=self.tls_certificate_file,
            key_file=self.tls_key_file,
            key_password=self.tls_key_password,
            verify_hostname=self.tls_verify_hostname,
        )

    def _sasl(self) -> KafkaSasl | None:
        if not self.use_sasl:
            return None
        if self.sasl_mechanism == "OAUTHBEARER":
            return KafkaSasl(mechanism=self.sasl_mechanism)
        if not self.sasl_user or not self.sasl_password:
            raise ConfigurationError(f"sasl_user and sasl_password are needed for {self.sasl_mechanism}")
        return KafkaSasl(mechanism=self.sasl_mechanism, username=self.sasl_user, password=self.sasl_password)
