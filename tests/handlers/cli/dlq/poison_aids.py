"""Poison records as lanes write them."""

import contextlib
import random

from millstream.router import KafkaPublisher, KafkaPublisherConfig, Message
from millstream.router.delivery.failure import Failure
from millstream.router.poison.record import poison_record
from tests.handlers.events.event_payloads import make_payload

MISSING = ValueError("tenant_id: missing")
REFUSED = ValueError("row 17 refused: 'no such column'")


def poisoned(event_id, topic, error=MISSING, **fields):
    """Return the record of an event that came from *topic*."""
    message = Message(
        make_payload(id=event_id), uuid=event_id, metadata={"tenant": "a"}, key=b"k", topic=topic, partition=0, offset=7
    )
    record = poison_record(message, Failure(error))
    record.metadata.update(fields)
    return record


def poison(kafka, dlq, topics, count, errors=(MISSING,), seed=1):
    """Write *count* records into *dlq*, from *topics* in turn, with one of *errors* each; returns topic and error by id."""
    draw = random.Random(seed)
    ids = {
        f"event-{seed}-{number}": (topics[number % len(topics)], draw.choices(errors, range(1, len(errors) + 1))[0])
        for number in range(count)
    }
    send(kafka, dlq, *(poisoned(each, topic, error) for each, (topic, error) in ids.items()))
    return ids


def send(kafka, topic, *records):
    """Publish *records*, without a key, so that they are spread over the partitions."""
    for record in records:
        record.key = None
    with contextlib.closing(KafkaPublisher(KafkaPublisherConfig(brokers=[kafka.bootstrap_servers]))) as publisher:
        publisher.publish(topic, *records)
