"""The `[kafka]` section: where the brokers are and how a client proves who it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from millstream.handlers.events.grouping import MAX_BATCH_BYTES, MAX_BATCH_SIZE
from millstream.router import ConfigurationError
from millstream.router.kafka import KafkaPublisherConfig, KafkaSasl, KafkaSubscriberConfig, KafkaTls
from millstream.router.kafka.client_config import Property
from millstream.router.kafka.config import Partitioner
from millstream.router.kafka.names import checked_name
from millstream.router.kafka.redaction import RedactedSettings, shown
from millstream.router.kafka.security import SaslMechanism
from millstream.router.typed_fields import require_words

SECRET_KEYS = ("sasl_password", "tls_key_password", "properties")
"""Keys whose value no error shows."""
WORDS = {
    "use tls and sasl": "set tls and use_sasl",
    "use sasl": "set use_sasl, sasl_mechanism, sasl_user and sasl_password",
    "use tls": "set tls, tls_ca_cert_file, tls_certificate_file, tls_key_file, tls_key_password and tls_verify_hostname",
    "name the certificates to trust in tls instead": "name the certificates to trust in tls_ca_cert_file instead",
}
"""What refused properties are to be replaced by, in the words of the clients' fields and in those of this section."""
FIELDS = {
    "KafkaTls.ca_file": "tls_ca_cert_file",
    "KafkaTls.certificate_file": "tls_certificate_file",
    "KafkaTls.key_file": "tls_key_file",
    "KafkaTls.key_password": "tls_key_password",
    "KafkaSasl.username": "sasl_user",
    "KafkaSasl.password": "sasl_password",
}
"""What fields of the clients are called in this section, where that is something else."""
NOT_GIVEN = "localhost:9092"
"""Stands in for the brokers while everything else is checked."""
NOT_GIVEN_GROUP = "group"
"""Stands in for the group."""
HEARTBEAT_SECONDS: float = KafkaSubscriberConfig(brokers=[NOT_GIVEN], group_id=NOT_GIVEN_GROUP).heartbeat_interval
"""Not a key of this section: a heartbeat as long as the session is told in the words of the session."""


class KafkaConfig(RedactedSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Kafka is reached: the `[kafka]` section. Its `repr` shows no secret.

    Args:
        brokers: some of the cluster's addresses, such as `["localhost:9092"]`.
        client_id: how the brokers name this client in their logs and quotas.
        tls: encrypt the connection; not implied by `use_sasl`.
        tls_ca_cert_file: certificates of who may vouch for a broker, PEM; `None`: those of the system.
        tls_certificate_file, tls_key_file: our own certificate and its key, where the brokers ask for one.
        tls_key_password: what the key is encrypted with.
        tls_verify_hostname: whether a broker's certificate must name the host that we connect to.
        use_sasl: log in.
        sasl_mechanism, sasl_user, sasl_password: how, and as whom.
        partitioner: which partition a key goes to; `fnv1a_random` agrees with Go services.
        linger: seconds that a published message waits for others to share its request with.
        delivery_timeout: seconds after which a message that was not confirmed has failed, however long the brokers are away.
        max_message_bytes: the largest message that is published; the broker has a limit of its own.
        start_from: where a partition without a committed offset begins.
        group_protocol: `"consumer"` is the new one (KIP-848, Apache Kafka 4.0 and newer).
        assignment_strategy: how the members of a group share the partitions; with `"consumer"` the broker decides.
        group_instance_id: makes the members static; each lane is one of its own, called after this and its handler. No two
            processes may have the same: `millstream run --instance` sets it for one process.
        session_timeout: seconds without a heartbeat after which a group gives a member up; the broker's with `"consumer"`.
        buffer_messages, buffer_bytes: what a publisher may have on the way before it waits for room; `millstream publish` takes
            no less than it hands over at a time.
        properties: further librdkafka properties, by their own names: text, numbers, true or false; only in a file.

        topic, topic_lazy, topic_bulk: where programs publish events to; `None`: the topic of the lane that takes them. `topic` is
            that of `millstream publish` as well.
        route_tenants_on_lazy_mode: tenants whose events go to the lazy topic.
        bulk_max_batch_size: events in one bulk message.
        bulk_max_batch_bytes: bytes of its payload; an event that needs more goes alone. `None`: 512 KiB, or half of
            `max_message_bytes` where that is less. For the tenants and these two see `Settings.event_publisher`.

    Raises:
        ConfigurationError: values that do not go together, a topic that cannot be called so, or a property that may not be set.
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
    linger: float = 0.005
    delivery_timeout: float = 300.0
    max_message_bytes: int = 1_000_000
    start_from: Literal["earliest", "latest"] = "earliest"
    group_protocol: Literal["classic", "consumer"] = "classic"
    assignment_strategy: Literal["range", "cooperative-sticky"] = "range"
    group_instance_id: str | None = None
    session_timeout: float = 45.0
    buffer_messages: int = 100_000
    buffer_bytes: int = 64 * 1024 * 1024
    properties: dict[str, Property] = msgspec.field(default_factory=dict)
    topic: str | None = None
    topic_lazy: str | None = None
    topic_bulk: str | None = None
    route_tenants_on_lazy_mode: list[str] = msgspec.field(default_factory=list)
    bulk_max_batch_size: int = MAX_BATCH_SIZE
    bulk_max_batch_bytes: int | None = None

    def __post_init__(self) -> None:
        require_words(self, "kafka.")
        self._refuse_without_switch(
            "tls", "tls_ca_cert_file", "tls_certificate_file", "tls_key_file", "tls_key_password"
        )
        self._refuse_without_switch("use_sasl", "sasl_user", "sasl_password")
        self._check_publishing()
        if self.group_protocol == "classic" and 0 < self.session_timeout <= HEARTBEAT_SECONDS:
            raise ConfigurationError(
                f"kafka.session_timeout must be more than {HEARTBEAT_SECONDS:g}, the seconds between two heartbeats, not"
                f" {self.session_timeout:g}"
            )
        self._publisher(self.brokers or [NOT_GIVEN])
        self._subscriber(self.brokers or [NOT_GIVEN], NOT_GIVEN_GROUP)

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

    def _check_publishing(self) -> None:
        for key in ("topic", "topic_lazy", "topic_bulk"):
            topic = getattr(self, key)
            if topic is not None:
                checked_name(f"kafka.{key}", topic)
        if "" in self.route_tenants_on_lazy_mode:
            raise ConfigurationError("kafka.route_tenants_on_lazy_mode names an empty tenant: leave it out")
        if self.bulk_max_batch_size < 1:
            raise ConfigurationError(f"kafka.bulk_max_batch_size must be at least 1, not {self.bulk_max_batch_size}")
        if self.bulk_max_batch_bytes is not None and not 1 <= self.bulk_max_batch_bytes <= self.max_message_bytes:
            raise ConfigurationError(
                f"kafka.bulk_max_batch_bytes must be 1 to max_message_bytes={self.max_message_bytes}, not"
                f" {self.bulk_max_batch_bytes}"
            )

    @property
    def bulk_bytes(self) -> int:
        """Bytes that the payload of one bulk message has at most."""
        if self.bulk_max_batch_bytes is not None:
            return self.bulk_max_batch_bytes
        return min(MAX_BATCH_BYTES, self.max_message_bytes // 2)

    def publisher_config(self, brokers: Sequence[str] = ()) -> KafkaPublisherConfig:
        """Return the settings of a publisher.

        Args:
            brokers: win over those of the section.

        Raises:
            ConfigurationError: there are no brokers, here or there, or one of *brokers* is no host:port.
        """
        return self._publisher(self._chosen(brokers))

    def subscriber_config(self, group_id: str, brokers: Sequence[str] = (), **fields: Any) -> KafkaSubscriberConfig:
        """Return the settings of a subscriber: where the brokers are and how to log in, from this section.

        Args:
            group_id: the consumer group, such as the `consumer_group` of a lane.
            brokers: win over those of the section.
            fields: further ones of `KafkaSubscriberConfig`; they win over those of the section.

        Raises:
            ConfigurationError: as for `publisher_config`, or one of *fields* is out of its range.
        """
        return self._subscriber(self._chosen(brokers), group_id, **fields)

    def _chosen(self, brokers: Sequence[str]) -> list[str]:
        chosen = list(brokers) or self.brokers
        if not chosen:
            raise ConfigurationError(
                "no Kafka brokers are set: give --brokers host:port, kafka.brokers or MILLSTREAM_KAFKA__BROKERS"
            )
        return chosen

    def _publisher(self, brokers: list[str]) -> KafkaPublisherConfig:
        own = ("partitioner", "linger", "delivery_timeout", "max_message_bytes", "buffer_messages", "buffer_bytes")
        try:
            return KafkaPublisherConfig(**self._client(brokers), **{name: getattr(self, name) for name in own})
        except ConfigurationError as error:
            raise _in_our_words(error) from None

    def _subscriber(self, brokers: list[str], group_id: str, **fields: Any) -> KafkaSubscriberConfig:
        own = ("start_from", "group_protocol", "assignment_strategy", "group_instance_id", "session_timeout")
        given = {**{name: getattr(self, name) for name in own}, **fields}
        try:
            return KafkaSubscriberConfig(**self._client(brokers), group_id=group_id, **given)
        except ConfigurationError as error:
            raise _in_our_words(error) from None

    def _client(self, brokers: list[str]) -> dict[str, Any]:
        return {
            "brokers": brokers,
            "client_id": self.client_id,
            "tls": self._tls(),
            "sasl": self._sasl(),
            "properties": self.properties,
        }

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
            if self.sasl_user is not None or self.sasl_password is not None:
                raise ConfigurationError(
                    "sasl_user and sasl_password are not for OAUTHBEARER: its login goes into properties, such as"
                    " sasl.oauthbearer.client.id and sasl.oauthbearer.client.secret"
                )
            return KafkaSasl(mechanism=self.sasl_mechanism)
        if not self.sasl_user or not self.sasl_password:
            raise ConfigurationError(f"sasl_user and sasl_password are needed for {self.sasl_mechanism}")
        return KafkaSasl(mechanism=self.sasl_mechanism, username=self.sasl_user, password=self.sasl_password)


def _in_our_words(error: ConfigurationError) -> ConfigurationError:
    text = str(error)
    for kind in (KafkaPublisherConfig, KafkaSubscriberConfig):
        text = text.removeprefix(f"{kind.__name__}.")
    field, blank, rest = text.partition(" ")
    text = f"{FIELDS.get(field, field)}{blank}{rest}"
    rule, colon, hint = text.rpartition(": ")
    return ConfigurationError(f"kafka.{rule}{colon}{WORDS.get(hint, hint)}")
