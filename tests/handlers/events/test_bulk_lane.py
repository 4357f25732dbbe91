"""The bulk lane: each event of a message on its own, the message committed when all of them are done."""

import gc
import json
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millstream.handlers.batching import BatchMessage
from millstream.handlers.events import BillingConfig, InvalidEvent, PostProcessor, decode_event_batch
from millstream.handlers.store import StoreUnavailable
from millstream.handlers.testing import FakeStore
from millstream.router import InMemoryPubSub, Message, Router, UndrainedError
from millstream.router.poison.sink_worker import LOOK_AGAIN_SECONDS
from millstream.router.testing import ManualClock, RecordingPublisher, eventually, running
from tests.handlers.batching.batching_aids import drain
from tests.handlers.events.event_payloads import make_batch, make_payload
from tests.handlers.events.service_aids import consuming_bulk, make_service, payloads, publish


class Sentinel:
    """Something that only a message refers to, and that can be watched."""


class Records:
    """A poison sink that keeps what is written."""

    def __init__(self):
        self.written = []

    def write(self, messages):
        """Keep *messages*."""
        self.written += messages

    def close(self):
        """Nothing is held."""


@pytest.fixture
def no_collector():
    """Switch the garbage collector off: what is freed is freed by its reference count."""
    gc.disable()
    yield
    gc.enable()


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


def test_a_message_with_room_for_a_part_of_it_is_added_whole():
    """Else what it waits between would be stored in part at a close, and come again whole."""
    store, events = FakeStore(), payloads(6)
    service = make_service(store, clock=ManualClock(), max_pending_bytes=3 * len(events[0]) + 1, max_retries=0)
    store.fail_next(*[StoreUnavailable("away")] * 10_000)

    def consume():
        with consuming_bulk(service, close_timeout=0.2) as (broker, _):
            # The third waits for room, and so has the others flushed.
            publish(broker, [make_batch(*events[:2]), make_batch(*events[2:]), make_batch(*payloads(1))], "bulk")
            assert eventually(lambda: store.inserts)

    with pytest.raises(UndrainedError):
        consume()

    assert {len(insert.lines) for insert in store.inserts} == {6}


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
    assert record.metadata["handler_poisoned"] == "bulk_event_consumption_handler"
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
    with consuming_bulk(make_service(store, batch_size=1)) as (broker, handler):
        records = broker.subscribe("bulk-dlq")
        publish(broker, [payload, make_batch(make_payload(id="next"))], "bulk")
        assert eventually(lambda: handler.poisoned == 1 and store.rows())
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
        assert eventually(lambda: service.bulk_message_batcher.pending == 3)
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
        assert eventually(lambda: service.bulk_message_batcher.pending == 2)

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
    """Each event counts with its own bytes: not with those of the whole message, which would leave no room for a second."""
    store = FakeStore()
    service = make_service(store, clock=ManualClock(), max_pending_bytes=20 * len(make_payload()))
    with consuming_bulk(service) as (broker, _):
        publish(broker, [make_batch(*[make_payload()] * 9), make_batch(make_payload())], "bulk")
        assert eventually(lambda: service.bulk_message_batcher.pending == 10)

    assert [len(insert.lines) for insert in store.inserts] == [10]


KINDS = st.sampled_from(["good", "good", "refused", "bad"])


@settings(max_examples=20, deadline=None)
@given(messages=st.lists(st.lists(KINDS, min_size=1, max_size=5), min_size=1, max_size=4), size=st.integers(1, 4))
def test_every_event_is_stored_once_or_in_the_record_of_its_message(messages, size):
    """Whatever stands beside it, and however the batches fall; a message has one record or none."""
    store, stored, recorded, records, handled = FakeStore(), [], {}, Records(), []

    def count(next_handler):
        def handle(message):
            next_handler(message)
            handled.append(message.uuid)

        return handle

    store.refuse_lines(lambda line: b"refused" in line)
    with consuming_bulk(
        make_service(store, batch_size=size, max_batch_size=size), middlewares=[count], poison=records
    ) as (broker, _):
        for number, kinds in enumerate(messages):
            events = {f"{number}-{place}-{kind}": kind for place, kind in enumerate(kinds)}
            contents = [make_payload(id=name, event_name="" if kind == "bad" else "x") for name, kind in events.items()]
            broker.publish("bulk", Message(make_batch(*contents), uuid=str(number)))
            stored += [name for name, kind in events.items() if kind == "good"]
            if failed := [name for name, kind in events.items() if kind != "good"]:
                recorded[str(number)] = failed
        whole = sum("good" not in kinds and "refused" not in kinds for kinds in messages)
        assert eventually(lambda: len(handled) == len(messages) - whole and len(records.written) >= whole)
    got = records.written

    assert sorted(json.loads(row)["id"] for row in store.rows()) == sorted(stored)
    assert {each.uuid: [event["id"] for event in json.loads(each.payload)["events"]] for each in got} == recorded
    assert len(got) == len(recorded)
    assert broker.backlog("bulk") == (0, 0)


def test_a_message_may_be_larger_than_what_may_be_pending():
    """Its first events are stored while the others wait for room."""
    store = FakeStore()
    with consuming_bulk(make_service(store, batch_size=1, max_pending_bytes=len(make_payload()))) as (broker, _):
        publish(broker, [make_batch(*payloads(5))], "bulk")
        assert eventually(lambda: len(store.rows()) == 5)

    assert broker.backlog("bulk") == (0, 0)


def test_a_message_with_a_bad_event_is_freed(no_collector):
    """Nothing that is kept for its record, an error among it, leads back to it: no collector looks for messages."""
    watched = []

    def watch(next_handler):
        def handle(message):
            sentinel = message.context.values["sentinel"] = Sentinel()
            watched.append(weakref.ref(sentinel))
            return next_handler(message)

        return handle

    with consuming_bulk(make_service(batch_size=1), middlewares=[watch]) as (broker, handler):
        for count in (1, 2):  # what the threads have in hand is the last one
            publish(broker, [make_batch(*payloads(2), make_payload(id=""))], "bulk")
            assert eventually(lambda count=count: handler.poisoned == count)
        assert eventually(lambda: watched[0]() is None)


def test_what_an_event_of_a_bulk_message_came_as_is_its_part():
    """A message that is one thing came as its payload."""
    message = Message(b"whole")

    assert BatchMessage(message, None).payload == b"whole"
    assert BatchMessage(message, None, 1, b"part").payload == b"part"
