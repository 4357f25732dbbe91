"""What one batch becomes: rows, billing rows, post-processing messages, and an outcome per message."""

import json

import pytest

from millstream.handlers.batching import Batch, BatchMessage
from millstream.handlers.events import (
    BillingConfig,
    EventPublisher,
    EventRepository,
    PostProcessor,
    create_event,
    decode_event,
    repository,
)
from millstream.handlers.store import DataError, StoreMisconfigured, StoreUnavailable, UnknownOutcome
from millstream.handlers.testing import FakeStore
from millstream.router import ConfigurationError, HaltedError, Message, PublishError, StateError, TransientError
from millstream.router.testing import RecordingPublisher
from tests.handlers.events.event_payloads import make_payload
from tests.handlers.events.service_aids import batch_of, make_service, payloads

BILLING = BillingConfig(tenant_id="billing", environment_id="prod")


def test_a_batch_is_one_insert_of_the_bytes_as_they_came():
    """Python never encodes an event again: its lines are the payloads."""
    store, contents = FakeStore(), payloads(5)
    result = make_service(store).process_batch(batch_of(*contents))

    assert result is None
    assert len(store.inserts) == 1
    assert store.rows() == contents


def test_billing_rows_go_into_the_same_insert():
    """With billing each event brings a second row, in the one INSERT of its batch."""
    store = FakeStore()
    service = make_service(store, billing=BILLING)
    service.process_batch(batch_of(*payloads(3)))
    rows = [json.loads(line) for line in store.rows()]

    assert len(store.inserts) == 1
    assert [row["tenant_id"] for row in rows] == ["acme", "billing"] * 3
    assert service.stats.rows == 6


def test_a_redelivered_event_makes_the_same_billing_row():
    """Billing rows are derived from the event alone, so another delivery replaces instead of adding."""
    store = FakeStore()
    service = make_service(store, billing=BILLING)
    for _ in range(2):
        service.process_batch(batch_of(make_payload()))
    billing_rows = [line for line in store.rows() if b"tenant_event" in line]

    assert len(billing_rows) == 2
    assert len(set(billing_rows)) == 1


@pytest.mark.parametrize(
    "error", [StoreUnavailable("down"), UnknownOutcome("timed out"), StoreMisconfigured("no table")]
)
def test_an_insert_that_is_not_known_to_be_done_raises_and_goes_on_with_the_same_token(error):
    """The next attempt on the same batch sends the same rows under the same token."""
    store = FakeStore()
    store.fail_next(error)
    service, batch = make_service(store), Batch(batch_of(*payloads(2)))
    with pytest.raises(type(error)):
        service.process_batch(batch)
    result = service.process_batch(batch)

    assert result is None
    assert len({(insert.token, insert.lines) for insert in store.inserts}) == 1
    assert len(store.rows()) == 2


def test_an_insert_that_was_stored_before_its_answer_was_lost_doubles_nothing():
    """One token names one row set: sending it again adds no row."""
    store = FakeStore()
    store.fail_next_after_storing(UnknownOutcome("connection reset"))
    service, batch = make_service(store), Batch(batch_of(*payloads(4)))
    with pytest.raises(UnknownOutcome):
        service.process_batch(batch)
    service.process_batch(batch)

    assert len(store.rows()) == 4


def test_rows_ingested_again_get_another_token():
    """Tokens are not derived from content: what was deleted can be stored again."""
    store, contents = FakeStore(), payloads(2)
    service = make_service(store)
    for _ in range(2):
        service.process_batch(batch_of(*contents))

    assert len(store.rows()) == 4


def test_a_refused_row_is_named_and_its_neighbours_are_stored():
    """The outcome names the place of the bad row; the others are in the store in the same call."""
    store = FakeStore()
    store.refuse_lines(lambda line: b'"e-1"' in line)
    result = make_service(store).process_batch(batch_of(*payloads(3)))

    assert list(result.failures) == [1]
    assert isinstance(result.failures[1], DataError)
    assert len(store.rows()) == 2


def test_a_refused_row_is_tried_in_canonical_form_first():
    """A valid event that the store refuses as it came is stored in the form that is exactly the table's columns."""
    store = FakeStore()
    store.refuse_lines(lambda line: line.count(b'"id"') > 1)
    twice = b'{"id":"old",' + make_payload(id="new")[1:]
    result = make_service(store).process_batch(batch_of(twice))

    assert result is None
    assert [json.loads(line)["id"] for line in store.rows()] == ["new"]


def test_a_batch_over_400_days_is_cut_by_day():
    """ClickHouse takes at most 100 days in one INSERT, so 400 days are four."""
    store = FakeStore()
    contents = [
        make_payload(id=f"{year}-{month}-{day}", timestamp=f"{year}-{month:02}-{day:02}T00:00:00Z")
        for year in (2024, 2025)
        for month in range(1, 11)
        for day in range(1, 21)
    ]
    make_service(store).process_batch(batch_of(*contents))

    assert len(contents) == 400
    assert [len({json.loads(line)["timestamp"] for line in insert.lines}) for insert in store.inserts] == [100] * 4
    assert len({insert.token for insert in store.inserts}) == 4


def test_stored_events_are_published_for_post_processing():
    """Post-processing gets the event's JSON with key, partition key and metadata, after the row is stored."""
    store, publisher = FakeStore(), RecordingPublisher()
    service = make_service(store, post_processor=PostProcessor(publisher, "done"))
    service.process_batch(batch_of(make_payload(tenant_id="t", external_customer_id="c")))
    message = publisher.messages("done")[0]

    assert message.payload == make_payload(tenant_id="t", external_customer_id="c")
    assert message.key == b"t:c"
    assert message.metadata == {"tenant_id": "t", "environment_id": "production", "partition_key": "t:c"}


def test_refused_events_are_not_published():
    """What is not in the store is not told to post-processing."""
    store, publisher = FakeStore(), RecordingPublisher()
    store.refuse_lines(lambda line: b'"e-0"' in line)
    service = make_service(store, post_processor=PostProcessor(publisher, "done"))
    service.process_batch(batch_of(*payloads(2)))

    assert [message.uuid for message in publisher.messages("done")] == ["e-1"]


def test_a_failed_publish_is_retried_without_storing_again():
    """Between attempts the batch remembers that its rows are stored and which messages were confirmed."""
    store = FakeStore()
    publisher = RecordingPublisher([PublishError("done", {"e-1": "timed out"})])
    service = make_service(store, post_processor=PostProcessor(publisher, "done"))
    batch = Batch(batch_of(*payloads(3)))
    with pytest.raises(TransientError, match="1 post-processing messages were not confirmed"):
        service.process_batch(batch)
    result = service.process_batch(batch)

    assert result is None
    assert len(store.inserts) == 1
    assert [message.uuid for message in publisher.messages("done")] == ["e-1"]
    assert service.stats.post_process_errors == 0


def test_a_publish_that_never_works_fails_the_message_and_is_counted():
    """After its retries the message goes to the poison sink with a reason that says the row is stored."""
    store, publisher = FakeStore(), RecordingPublisher()
    publisher.break_down(ConnectionError("broker gone"))
    service = make_service(store, post_processor=PostProcessor(publisher, "done", max_retries=1))
    batch = Batch(batch_of(*payloads(2)))
    with pytest.raises(TransientError):
        service.process_batch(batch)
    result = service.process_batch(batch)

    assert [str(error) for error in result.failures.values()] == [
        "stored, but not handed to post-processing: broker gone"
    ] * 2
    assert service.stats.post_process_errors == 2
    assert len(store.rows()) == 2


def test_a_publisher_that_is_closed_is_no_fault_of_the_events():
    """It is nobody's to retry, and no record: the router halts, with all of them stored and none committed."""
    store, publisher = FakeStore(), RecordingPublisher()
    publisher.close()
    service = make_service(store, post_processor=PostProcessor(publisher, "done", max_retries=0))

    with pytest.raises(HaltedError, match=r"post-processing to 'done' cannot go on: .*closed"):
        service.process_batch(Batch(batch_of(*payloads(2))))
    assert (len(store.rows()), service.stats.post_process_errors) == (2, 0)


@pytest.mark.parametrize("error", [ConfigurationError("no such topic"), HaltedError("enough")])
def test_what_no_event_is_to_blame_for_is_passed_on(error):
    """The batch waits until somebody mends it, or halts."""
    publisher = RecordingPublisher()
    publisher.break_down(error)
    service = make_service(post_processor=PostProcessor(publisher, "done", max_retries=0))

    with pytest.raises(type(error), match=str(error)):
        service.process_batch(Batch(batch_of(*payloads(2))))


def test_a_publish_error_that_names_nothing_sent_counts_for_all():
    """Where a publisher names other messages than it was given, none counts as confirmed."""
    publisher = RecordingPublisher([PublishError("done", {"another": "timed out"})])
    service = make_service(post_processor=PostProcessor(publisher, "done", max_retries=0))
    result = service.process_batch(Batch(batch_of(*payloads(2))))

    assert sorted(result.failures) == [0, 1]


def test_a_lane_that_cannot_be_published_to_does_not_hide_the_other():
    """Both lanes are tried, and the error names every event that did not get out."""
    events = [decode_event(make_payload(id=tenant, tenant_id=tenant)) for tenant in ("fast", "bulk")]
    both = RecordingPublisher([PublishError("events", {"fast": "full"}), PublishError("events_lazy", {"bulk": "gone"})])
    one = RecordingPublisher([PublishError("events", {"fast": "full"})])
    with pytest.raises(PublishError) as of_both:
        EventPublisher(both, route_tenants_on_lazy_mode=["bulk"]).publish(*events)
    with pytest.raises(PublishError) as of_one:
        EventPublisher(one, route_tenants_on_lazy_mode=["bulk"]).publish(*events)

    assert of_both.value.failures == {"fast": "full", "bulk": "gone"}
    assert of_one.value.failures == {"fast": "full"}
    assert [message.uuid for message in one.messages("events_lazy")] == ["bulk"]


def test_a_repository_that_cannot_be_opened_leaves_no_store_open(monkeypatch):
    """A table that is missing is an error, and the store behind it is closed again."""
    store = FakeStore()
    monkeypatch.setattr(repository, "open_store", lambda *_args, **_options: store)
    with pytest.raises(ConfigurationError, match="millstream migrate"):
        EventRepository.open("http://localhost:1")

    with pytest.raises(StateError, match="closed"):
        store.command("SELECT 1")


def test_the_publisher_routes_chosen_tenants_to_the_lazy_topic():
    """Events of tenants in lazy mode go to the lazy lane, all others to the regular one."""
    publisher = RecordingPublisher()
    events = [decode_event(make_payload(tenant_id=tenant)) for tenant in ("fast", "bulk", "fast")]
    EventPublisher(publisher, route_tenants_on_lazy_mode=["bulk"]).publish(*events)

    assert [message.metadata["tenant_id"] for message in publisher.messages("events")] == ["fast", "fast"]
    assert [message.metadata["tenant_id"] for message in publisher.messages("events_lazy")] == ["bulk"]


def test_a_published_event_decodes_to_itself():
    """What the publisher sends is what the consumer reads."""
    publisher = RecordingPublisher()
    event = decode_event(make_payload())
    made = create_event(
        {"bytes": 7},
        id="e",
        tenant_id="t",
        environment_id="p",
        event_name="n",
        timestamp=event.timestamp,
        customer_id="c",
    )
    EventPublisher(publisher).publish(made)
    again = decode_event(publisher.messages()[0].payload)

    assert (again.id, again.timestamp, bytes(again.properties)) == (made.id, made.timestamp, bytes(made.properties))


def test_process_batch_takes_any_sequence():
    """A plain list of batch messages is processed under a token of its own."""
    store = FakeStore()
    content = make_payload()
    make_service(store).process_batch([BatchMessage(Message(content), decode_event(content))])

    assert len(store.inserts[0].token) == 32
