"""Runs from a real broker into a real server: what is refused on the way is set aside alone, and nothing else is missing."""

import contextlib

import pytest

from millstream.handlers.batching import BatchConfig
from millstream.handlers.events import EventConsumptionService, EventRepository, LaneConfig, create_events_table
from millstream.middleware import CorrelationID, FailurePolicy
from millstream.router import (
    KafkaPublisher,
    KafkaPublisherConfig,
    KafkaSubscriber,
    KafkaSubscriberConfig,
    Message,
    Router,
)
from millstream.router.testing import eventually, running
from tests.handlers.events.event_payloads import make_payload
from tests.router.kafka.raw_records import read_records

pytestmark = pytest.mark.slow

COUNT = 50_000
LOCAL = {7: b"no event", 20_000: make_payload(id=""), 49_998: make_payload() + b"{}"}
REFUSED = (0, 20_001, 31_337)
"""Places of events that only a constraint of the table refuses; one behind one that is no event."""


@pytest.fixture
def database(real_clickhouse):
    """A database with an empty table that refuses one tenant."""
    name = real_clickhouse.create_database()
    with contextlib.closing(real_clickhouse.open()) as store:
        for statement in create_events_table(name, "events"):
            store.command(statement)
        store.command(f"ALTER TABLE {name}.events ADD CONSTRAINT known CHECK tenant_id != 'unknown'")
    yield name
    real_clickhouse.drop_database(name)


def contents():
    """Return the payloads, of which six are bad."""
    text = make_payload(id="event-%d")  # no other percent sign is in it
    made = [text % place for place in range(COUNT)]
    for place in REFUSED:
        made[place] = make_payload(id=f"event-{place}", tenant_id="unknown")
    for place, payload in LOCAL.items():
        made[place] = payload
    return made


def test_six_bad_events_among_50_000_are_set_aside_and_all_others_stored(real_kafka, real_clickhouse, database):
    """Expect exactly the good ones in the table, each of the six with its reason in the DLQ, and all of them committed."""
    topic, dlq = real_kafka.create_topic(1, prefix="events"), real_kafka.create_topic(1, prefix="dlq")
    brokers, payloads = [real_kafka.bootstrap_servers], contents()
    lane = LaneConfig(topic=topic, consumer_group=f"group-{topic}", topic_dlq=dlq)
    repository = EventRepository.open(real_clickhouse.address(database=database))
    with contextlib.ExitStack() as stack:
        stack.callback(repository.close)
        publisher = stack.enter_context(contextlib.closing(KafkaPublisher(KafkaPublisherConfig(brokers=brokers))))
        publisher.publish(topic, *map(Message, payloads))
        service = EventConsumptionService(repository, batch_config=BatchConfig(batch_size=5000, flush_interval=0.2))
        subscriber = KafkaSubscriber(KafkaSubscriberConfig(brokers=brokers, group_id=lane.consumer_group))
        router = Router()
        router.add_middleware(CorrelationID(), FailurePolicy())
        handler = service.register_handler(router, subscriber, lane=lane, publisher=publisher)
        with running(router):
            assert eventually(lambda: service.stats.events + handler.poisoned >= COUNT, 60.0)
            way = handler.describe()
        stored = repository.store.query(f"SELECT id FROM {database}.events").rows
    records = read_records(real_kafka.bootstrap_servers, dlq, 6)
    reasons = {record.value(): dict(record.headers())["reason_poisoned"] for record in records}

    assert way.endswith("in runs, past its chain")
    bad = {*LOCAL, *REFUSED}
    assert sorted(stored) == sorted((f"event-{place}",) for place in range(COUNT) if place not in bad)
    assert real_kafka.committed(lane.consumer_group, topic) == real_kafka.end_offsets(topic) == {0: COUNT}
    assert real_kafka.end_offsets(dlq) == {0: 6}
    assert reasons.keys() == {payloads[place] for place in bad}
    assert b"malformed JSON" in reasons[LOCAL[7]]
    assert reasons[LOCAL[20_000]].startswith(b"id: ")
    assert all(b"known" in reasons[payloads[place]] for place in REFUSED)
