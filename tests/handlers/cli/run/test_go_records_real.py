"""Records as a service in Go writes them with Watermill's own marshaler: whoever moves over changes the reader alone."""

import json

import pytest
from confluent_kafka import Producer

from tests.router.kafka.raw_records import read_records

pytestmark = pytest.mark.slow
EVENTS = 7000
PARTITIONS = 6
UNDECODABLE = (b"", b'{"id": "half', b"\x0a\x03e-1")


def go_record(number):
    """Return payload and headers of an event: the uuid is a header, and each entry of the metadata; there is no key.

    What a field does not say is an empty text, and the time has nine digits, as `encoding/json` writes both.
    """
    uuid, customer = f"event-{number}", f"customer-{number % 50}"
    payload = {
        "id": uuid,
        "tenant_id": "acme",
        "environment_id": "production",
        "external_customer_id": customer,
        "event_name": "api_call",
        "timestamp": f"2026-11-23T10:00:00.{number:09d}Z",
        "source": "",
        "customer_id": "",
        "properties": {"bytes": number},
    }
    metadata = {"tenant_id": "acme", "environment_id": "production", "partition_key": f"acme:{customer}"}
    headers = [("_watermill_message_uuid", uuid.encode()), *((key, value.encode()) for key, value in metadata.items())]
    return json.dumps(payload, separators=(",", ":")).encode(), headers


def test_records_of_a_go_service_are_stored_once_each(place):
    """Of all partitions; the few that nobody can decode are set aside as they came, and the exit code says so."""
    place.use_topic(PARTITIONS)
    place.write()
    producer = Producer({"bootstrap.servers": place.kafka.bootstrap_servers, "linger.ms": 20})
    for number in range(EVENTS):
        payload, headers = go_record(number)
        producer.produce(place.topic, payload, headers=headers, partition=number % PARTITIONS)
    for number, payload in enumerate(UNDECODABLE):
        headers = [("_watermill_message_uuid", b"bad-%d" % number), ("tenant_id", b"acme")]
        producer.produce(place.topic, payload, headers=headers, partition=number)
    assert producer.flush(60) == 0

    with place.service("--once") as service:
        code = service.wait()
    records = read_records(place.kafka.bootstrap_servers, place.dlq, len(UNDECODABLE))

    assert code == 3, service.lines
    assert place.ids() == sorted(f"event-{number}" for number in range(EVENTS))
    assert place.committed() == EVENTS + len(UNDECODABLE)
    assert sum(place.kafka.end_offsets(place.dlq).values()) == len(UNDECODABLE)
    assert {record.value() or b"" for record in records} == set(UNDECODABLE)
    uuids = {dict(record.headers())["_watermill_message_uuid"] for record in records}
    assert uuids == {b"bad-0", b"bad-1", b"bad-2"}
