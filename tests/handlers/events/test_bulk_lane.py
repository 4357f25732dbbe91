"""The bulk lane: each event of a message on its own, the message committed when all of them are done."""

import json

import pytest

from millstream.handlers.batching import BatchMessage
from millstream.handlers.events import BillingConfig, InvalidEvent, PostProcessor, decode_event_batch
from millstream.handlers.testing import FakeStore
from millstream.router import InMemoryPubSub, Message, Router
from millstream.router.poison.sink_worker import LOOK_AGAIN_SECONDS
from millstream.router.testing import ManualClock, RecordingPublisher, eventually, running
from tests.handlers.batching.batching_aids import drain
from tests.handlers.events.event_payloads import make_batch, make_payload
from tests.handlers.events.service_aids import consuming_bulk, make_service, payloads, publish

IDS = {"tenant_id": "acme", "environment_id": "production"}


def test_the_events_of_a_message_are_stored_as_they_came():
    """Byte for byte, with those of other messages in one INSERT."""
    store, events = FakeStore(), payloads(5)
    service = make_service(store, clock=ManualClock(), batch_size=5)
    with consuming_bulk(service) as (broker, _):
        publish(broker, [make_batch(*events[:3], **IDS), make_batch(*events[3:], **IDS)], "bulk")
        store.wait_for_inserts(1)

        assert store.rows() == events
    assert len(store.inserts) == 1
    assert broker.backlog("bulk") == (0, 0)


def test_a_bad_event_is_poisoned_alone():
    """Its neighbours are stored, its record is a batch of it alone, with the reason and its place."""
    store, events = FakeStore(), payloads(3)
    bad = make_payload(id="")
    with consuming_bulk(make_service(store, batch_size=3)) as (broker, handler):
        records = broker.subscribe("bulk-dlq")
        message = Message(
            make_batch(events[0], bad, *events[1:], **IDS), uuid="m", metadata={"batch_size": "4"}, key=b"acme"
        )
        broker.publish("bulk", message)
        assert eventually(lambda: handler.poisoned == 1)
        (record,) = records.receive(10, 5.0)

    assert store.rows() == events
    assert [bytes(each) for each in decode_event_batch(record.payload).events] == [bad]
    assert json.loads(record.payload).items() >= IDS.items()
    assert record.metadata["reason_poisoned"] == "part 1: id: empty"
    assert (record.uuid, record.key, record.metadata["batch_size"]) == ("m", b"acme", "1")
    assert broker.backlog("bulk") == (0, 0)


def test_events_of_one_message_that_fail_in_different_batches_have_one_record():
    """One is bad, two are refused by the store, each in an INSERT of its own; then the message is committed."""
    store, events = FakeStore(), payloads(6)
    store.refuse_lines(lambda line: b'"e-0"' in line or b'"e-4"' in line)
    service = make_service(store, batch_size=2, max_batch_size=2)
    with consuming_bulk(service) as (broker, handler):
        records = broker.subscribe("bulk-dlq")
        publish(broker, [make_batch(*events, b"null", **IDS)], "bulk")
        assert eventually(lambda: handler.poisoned == 1)
        got = records.receive(10, 5.0)

    assert sorted(json.loads(row)["id"] for row in store.rows()) == ["e-1", "e-2", "e-3", "e-5"]
    (record,) = got
    assert [bytes(each) for each in decode_event_batch(record.payload).events] == [events[0], events[4], b"null"]
    assert [text[:7] for text in record.metadata["reason_poisoned"].split("; ")] == ["part 0:", "part 4:", "part 6:"]
    assert broker.backlog("bulk") == (0, 0)


def test_an_event_that_is_refused_while_others_are_added_does_not_take_them_along():
    """The sink waits for the whole message, also when the store is faster than the handler."""
    store = FakeStore()
    store.refuse_lines(lambda line: b'"e-0"' in line)
    service = make_service(store, batch_size=1)
    add, events = service.bulk_message_batcher.add, payloads(3)

    def add_slowly(item):
        add(item)
        # Longer than the sink takes to look again.
        assert item.index != 0 or eventually(lambda: item.message.failures)
        assert item.index != 1 or not eventually(lambda: item.message.is_void, 3 * LOOK_AGAIN_SECONDS)

    service.bulk_message_batcher.add = add_slowly
    with consuming_bulk(service) as (broker, handler):
        records = broker.subscribe("bulk-dlq")
        publish(broker, [make_batch(*events)], "bulk")
        assert eventually(lambda: handler.poisoned == 1)
        (record,) = records.receive(10, 5.0)

    assert sorted(store.rows()) == events[1:]
    assert [bytes(each) for each in decode_event_batch(record.payload).events] == [events[0]]


@pytest.mark.parametrize(
    "payload", [make_payload(), b"no JSON", b'{"events":[]}', make_batch(b"7", make_payload(id=""))]
)
def test_a_message_without_a_good_event_is_poisoned_as_it_is(payload):
    """A single event among them: nothing is acked in silence, and the record is the message."""
    store = FakeStore()
    with consuming_bulk(make_service(store)) as (broker, handler):
        records = broker.subscribe("bulk-dlq")
        publish(broker, [payload, make_batch(make_payload(id="next"))], "bulk")
        assert eventually(lambda: handler.poisoned == 1)
        (record,) = records.receive(10, 5.0)

    assert record.payload == payload
    assert record.metadata["error_class_poisoned"] == "InvalidEvent"
    assert store.rows() == [make_payload(id="next")]


def test_every_bad_event_of_a_message_without_a_good_one_is_told():
    """The error says of each why."""
    with pytest.raises(InvalidEvent, match=r"events: none is valid; part 0: expected object, .*; part 1: id: empty"):
        make_service().process_bulk_message_with_batching(Message(make_batch(b"7", make_payload(id=""))))


def test_a_message_is_settled_when_all_of_its_events_are_stored():
    """Not when the first of them are."""
    service = make_service(clock=ManualClock(), batch_size=2, max_batch_size=2)
    message = Message(make_batch(*payloads(3)))
    service.process_bulk_message_with_batching(message)
    message.ack()
    assert eventually(lambda: service.bulk_message_batcher.flushes == 1)
    before = message.is_settled
    assert drain(service.bulk_message_batcher)

    assert (before, message.is_settled) == (False, True)


def test_bulk_events_have_no_billing_rows():
    """Beside a regular lane that has."""
    store = FakeStore()
    service = make_service(store, billing=BillingConfig(tenant_id="biller", environment_id="prod"))
    with consuming_bulk(service) as (broker, _):
        publish(broker, [make_batch(*payloads(3))], "bulk")
    service.process_raw_event(make_payload(id="regular"))

    assert len(store.rows()) == 3 + 2
    assert (service.stats.events, service.stats.rows) == (4, 5)


def test_each_event_is_told_to_post_processing():
    """With its own JSON and the ids of its batch."""
    publisher, event = RecordingPublisher(), json.loads(make_payload(id="e-7"))
    del event["tenant_id"]
    service = make_service(post_processor=PostProcessor(publisher, "done"))
    with consuming_bulk(service) as (broker, _):
        publish(broker, [make_batch(make_payload(id="e-6"), json.dumps(event).encode(), tenant_id="other")], "bulk")

    first, second = publisher.messages("done")
    assert (first.uuid, first.payload) == ("e-6", make_payload(id="e-6"))
    assert (second.uuid, json.loads(second.payload)) == ("e-7", {**event, "tenant_id": "other"})


def test_a_retried_message_adds_no_second_row():
    """Each part is held once, and a bad one fails once."""
    store = FakeStore()
    service = make_service(store, clock=ManualClock())
    broker, router = InMemoryPubSub(), Router()

    def twice(next_handler):
        def handle(message):
            next_handler(message)
            return next_handler(message)

        return handle

    router.add_middleware(twice)
    handler = service.register_bulk_handler(router, broker, publisher=broker)
    with running(router):
        publish(broker, [make_batch(*payloads(3), b"null")], "staging_events_bulk")
        assert eventually(lambda: service.bulk_message_batcher.pending == 3)

    assert len(store.rows()) == 3
    assert handler.poisoned == 1


def test_a_bulk_message_weighs_what_its_events_weigh():
    """Each event counts with its own bytes: not with those of the whole message."""
    service = make_service(clock=ManualClock(), max_batch_bytes=10 * len(make_payload()))
    with consuming_bulk(service) as (broker, _):
        publish(broker, [make_batch(*[make_payload()] * 9)], "bulk")
        assert eventually(lambda: service.bulk_message_batcher.pending == 9)
        before = service.bulk_message_batcher.flushes
        publish(broker, [make_batch(*[make_payload()] * 1)], "bulk")
        assert eventually(lambda: service.bulk_message_batcher.flushes == 1)

    assert before == 0


def test_what_an_event_of_a_bulk_message_came_as_is_its_part():
    """A message that is one thing came as its payload."""
    message = Message(b"whole")

    assert BatchMessage(message, None).payload == b"whole"
    assert BatchMessage(message, None, 1, b"part").payload == b"part"
