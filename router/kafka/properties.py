"""What our settings are called in librdkafka. Plain values: no client is opened here."""

from .client_config import KafkaClientConfig, Property
from .config import KafkaPublisherConfig, KafkaSubscriberConfig
from .security import KafkaSasl, KafkaTls
from .stall import STATISTICS_SECONDS

Properties = dict[str, Property]


def client_properties(config: KafkaClientConfig) -> Properties:
    """Return what every client gets: addresses, name, security, and last what the user passes through."""
    return {
        # A wrong topic name is the caller's to hear of, not the broker's to make a topic of.
        "allow.auto.create.topics": False,
        "bootstrap.servers": config.address,
        "client.id": config.client_id,
        **_security(config.tls, config.sasl),
        **config.properties,
    }


def publisher_properties(config: KafkaPublisherConfig) -> Properties:
    """Return the properties of the producer behind `KafkaPublisher`."""
    return {
        # How long a topic may be unknown before its messages fail. librdkafka's 30 s are long for a typing error; a topic
        # that was just created is known to every broker within one or two.
        "topic.metadata.propagation.max.ms": 5000,
        "statistics.interval.ms": _milliseconds(STATISTICS_SECONDS),
        **client_properties(config),
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": config.partitioner,
        "linger.ms": _milliseconds(config.linger),
        "message.timeout.ms": _milliseconds(config.delivery_timeout),
        "message.max.bytes": config.max_message_bytes,
        "queue.buffering.max.messages": config.buffer_messages,
        "queue.buffering.max.kbytes": -(-config.buffer_bytes // 1024),
    }


def subscriber_properties(config: KafkaSubscriberConfig) -> Properties:
    """Return the properties of the consumer behind a subscription.

    `auto.offset.reset` is `error`: the subscription itself sends a partition without a committed offset to `start_from`,
    so that an offset out of range can never be a silent jump.
    """
    properties: Properties = {
        # Measured: the default of 1000 stalls the fetcher of a fast consumer; 10 made the same run 2-4 times faster.
        "fetch.queue.backoff.ms": 10,
        # Measured: these two together added a quarter.
        "queued.min.messages": 1_000_000,
        "fetch.message.max.bytes": 4_194_304,
        # How long a deleted topic, or a new partition, goes unnoticed; librdkafka's own 300 s are long for a silent stop.
        "topic.metadata.refresh.interval.ms": 20_000,
        # What librdkafka may hold of each subscription ahead of our buffer; its own 64 MiB are a process's whole budget.
        "queued.max.messages.kbytes": 32_768,
        "statistics.interval.ms": _milliseconds(STATISTICS_SECONDS),
        **client_properties(config),
        "group.id": config.group_id,
        "group.protocol": config.group_protocol,
        "enable.auto.offset.store": False,
        "enable.auto.commit": True,
        "auto.commit.interval.ms": _milliseconds(config.commit_interval),
        "auto.offset.reset": "error",
        # Tells the position at the end of a partition, which nothing else does: see `OffsetBook.reach`.
        "enable.partition.eof": True,
        "max.poll.interval.ms": _milliseconds(config.max_poll_interval),
    }
    if config.group_instance_id is not None:
        properties["group.instance.id"] = config.group_instance_id
    if config.group_protocol == "classic":  # librdkafka refuses these three with the new protocol
        properties["session.timeout.ms"] = _milliseconds(config.session_timeout)
        properties["heartbeat.interval.ms"] = _milliseconds(config.heartbeat_interval)
        properties["partition.assignment.strategy"] = config.assignment_strategy
    return properties


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _security(tls: KafkaTls | None, sasl: KafkaSasl | None) -> Properties:
    protocol = ("SASL_" if sasl else "") + ("SSL" if tls else "PLAINTEXT")
    return {"security.protocol": protocol, **_tls(tls), **_sasl(sasl)}


def _tls(tls: KafkaTls | None) -> Properties:
    if tls is None:
        return {}
    values = {
        "ssl.ca.location": tls.ca_file,
        "ssl.certificate.location": tls.certificate_file,
        "ssl.key.location": tls.key_file,
        "ssl.key.password": tls.key_password,
        "ssl.endpoint.identification.algorithm": "https" if tls.verify_hostname else "none",
    }
    return {name: value for name, value in values.items() if value is not None}


def _sasl(sasl: KafkaSasl | None) -> Properties:
    if sasl is None:
        return {}
    values = {"sasl.mechanism": sasl.mechanism, "sasl.username": sasl.username, "sasl.password": sasl.password}
    return {name: value for name, value in values.items() if value is not None}
