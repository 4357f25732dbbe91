"""librdkafka properties that a user may not pass through, and why: the text ends the error.

Every name is listed under which librdkafka or confluent-kafka take such a property; a test compares that with librdkafka's own
list. Other spellings (capitals, blanks) they refuse themselves, but for what follows a NUL, where they stop reading.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import ConfigurationError
from .names import is_sendable, misfit

PROPERTY_NAME = re.compile(r"[a-z0-9._]+")
TOPIC_PREFIX = "topic."
"""May stand before the name of what belongs to a topic."""
CALLBACK_ENDING = "_cb"

COMMON = {
    "bootstrap.servers": "use brokers",
    "metadata.broker.list": "use brokers",
    "client.id": "use client_id",
    "security.protocol": "use tls and sasl",
    "sasl.mechanism": "use sasl",
    "sasl.mechanisms": "use sasl",
    "sasl.username": "use sasl",
    "sasl.password": "use sasl",
    "ssl.ca.location": "use tls",
    "ssl.certificate.location": "use tls",
    "ssl.key.location": "use tls",
    "ssl.key.password": "use tls",
    "ssl.endpoint.identification.algorithm": "use tls",
    "enable.ssl.certificate.verification": "name the certificates to trust in tls instead",
    "logger": "the log goes through loguru",
    "log.queue": "the log goes through loguru",
    "enabled_events": "callbacks belong to us",
    "default.topic.config": "give what is in it by name, beside the others",
}

PUBLISHER = {
    "enable.idempotence": "without it a retry may write a message twice or out of order",
    "acks": "a confirmed message must survive the loss of a broker",
    "request.required.acks": "a confirmed message must survive the loss of a broker",
    "delivery.report.only.error": "publish waits for the reports of success",
    "message.timeout.ms": "use delivery_timeout",
    "delivery.timeout.ms": "use delivery_timeout",
    "linger.ms": "use linger",
    "queue.buffering.max.ms": "use linger",
    "queue.buffering.max.messages": "use buffer_messages",
    "queue.buffering.max.kbytes": "use buffer_bytes",
    "message.max.bytes": "use max_message_bytes",
    "partitioner": "use partitioner",
    "partitioner_callback": "use partitioner",
    "transactional.id": "transactions are not supported",
    "on_delivery": "callbacks belong to us",
}

SUBSCRIBER = {
    "enable.auto.offset.store": "an offset may be stored only after its message has settled",
    "enable.auto.commit": "offsets are committed by interval, on a revoke and on close",
    "auto.commit.enable": "offsets are committed by interval, on a revoke and on close",
    "auto.commit.interval.ms": "use commit_interval",
    "offset.store.method": "offsets are committed to the group",
    "auto.offset.reset": "use start_from",
    "enable.partition.eof": "the subscription asks for it itself, to commit behind what is no message",
    "group.id": "use group_id",
    "group.protocol": "use group_protocol",
    "group.protocol.type": "a subscription is a consumer",
    "group.remote.assignor": "the broker chooses it",
    "group.instance.id": "use group_instance_id",
    "partition.assignment.strategy": "use assignment_strategy",
    "session.timeout.ms": "use session_timeout",
    "heartbeat.interval.ms": "use heartbeat_interval",
    "max.poll.interval.ms": "use max_poll_interval",
    "on_commit": "callbacks belong to us",
}


def check_properties(owner: str, properties: object) -> None:
    """Refuse what no client of ours may be given; *owner* begins the error, which shows no value: it may be a secret.

    Raises:
        ConfigurationError: a property is refused, or a name or value is of a kind that librdkafka does not take as it is. A
            value that is a mapping would carry in what is refused by name.
    """
    if not isinstance(properties, Mapping):
        rule = "map the names of librdkafka properties to values"
        raise ConfigurationError(f"{owner}.properties must {rule}, not be a {type(properties).__name__}")
    for name in properties:
        if not isinstance(name, str) or not PROPERTY_NAME.fullmatch(name):
            raise misfit(f"{owner}.properties", "have names as librdkafka writes them, of a-z 0-9 . _", name)
    refuse(owner, properties, COMMON)
    for name, value in properties.items():
        if not isinstance(value, str | int | float):
            rule = f"set {name} to text, a number or a truth value"
            raise ConfigurationError(f"{owner}.properties must {rule}, not to a {type(value).__name__}")
        if isinstance(value, str) and not is_sendable(value):
            raise ConfigurationError(f"{owner}.properties must set {name} to text that is UTF-8 and has no NUL in it")


def refuse(owner: str, properties: Mapping[str, object], forbidden: Mapping[str, str]) -> None:
    """Refuse each of *properties* that is *forbidden*; *owner* begins the error.

    Raises:
        ConfigurationError: names it and says why.
    """
    for name in properties:
        known = name.removeprefix(TOPIC_PREFIX)
        if known in forbidden or known.endswith(CALLBACK_ENDING):
            reason = forbidden.get(known, "callbacks belong to us")
            raise ConfigurationError(f"{owner}.properties must not set {name}: {reason}")
