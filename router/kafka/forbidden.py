"""librdkafka properties that a user may not pass through, and why: the text ends the error."""

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
    "transactional.id": "transactions are not supported",
    "on_delivery": "callbacks belong to us",
}

SUBSCRIBER = {
    "enable.auto.offset.store": "an offset may be stored only after its message has settled",
    "enable.auto.commit": "offsets are committed by interval, on a revoke and on close",
    "auto.commit.enable": "offsets are committed by interval, on a revoke and on close",
    "auto.commit.interval.ms": "use commit_interval",
    "auto.offset.reset": "use start_from",
    "enable.partition.eof": "the end of a partition is no event of a subscription",
    "group.id": "use group_id",
    "group.protocol": "use group_protocol",
    "group.remote.assignor": "the broker chooses it",
    "group.instance.id": "use group_instance_id",
    "partition.assignment.strategy": "use assignment_strategy",
    "session.timeout.ms": "use session_timeout",
    "heartbeat.interval.ms": "use heartbeat_interval",
    "max.poll.interval.ms": "use max_poll_interval",
    "on_commit": "callbacks belong to us",
}
