"""Lanes that take events in runs: what is stored, told and committed is that of one by one."""

import contextlib
import json

import pytest

from millstream.handlers.events import BillingConfig, LaneConfig, PostProcessor
from millstream.handlers.testing import FakeStore
from millstream.middleware import FailurePolicy
from millstream.router import Router
from millstream.router.testing import FakeSubscriber, ManualClock, RecordingPublisher, eventually, running
from tests.handlers.events.event_payloads import make_batch, make_payload
from tests.handlers.events.service_aids import make_service, payloads

REGULAR, LAZY, REPLAY, BULK = (
    f"register_{name}" for name in ("handler", "handler_lazy", "handler_replay", "bulk_handler")
)
BILLING = BillingConfig(tenant_id="billing", environment_id="prod")


class Lane:
    """A lane that runs: where its messages come from and its records go to."""

    def __init__(self, subscriber, records, handler):
        self.subscriber = subscriber
        self._records = records
        self.handler = handler

    def deliver(self, *contents):
        """Deliver a run of *contents*; returns the messages."""
        return self.subscriber.subscription.deliver(*contents)

    def wait_committed(self, count):
        """Wait until so many are committed."""
        assert self.subscriber.subscription.wait_committed(count)

    @property
    def poisoned(self):
        """What was set aside, with its reason."""
        records = self._records.messages("dlq")
        return {record.payload: record.metadata["reason_poisoned"] for record in records}


@contextlib.contextmanager
def lane_of(service, *, register=REGULAR, in_runs=True, middleware=(), **options):
    """Run a lane of *service* on a subscriber that delivers in runs, or not; *middleware* stands outermost."""
    subscriber, records, router = FakeSubscriber(in_runs=in_runs), RecordingPublisher(), Router()
    router.add_middleware(*middleware, FailurePolicy(retry=None))
    config = LaneConfig(topic="events", consumer_group="g", topic_dlq="dlq", **options)
    handler = getattr(service, register)(router, subscriber, lane=config, publisher=records)
    with running(router):
        yield Lane(subscriber, records, handler)


def is_looked_at(messages):
    """Whether anybody has looked at one of *messages*, rather than at their run."""
    return any(message.delivery.is_started for message in messages)


@pytest.mark.parametrize("register", [REGULAR, LAZY, REPLAY])
def test_a_run_of_good_events_is_stored_by_one_insert_and_never_divided(register):
    """Expect 500 rows, 500 committed, and no message that anybody has looked at."""
    store, contents = FakeStore(), payloads(500)
    service = make_service(store, batch_size=500, clock=ManualClock())
    with lane_of(service, register=register) as lane:
        messages = lane.deliver(*contents)
        lane.wait_committed(500)

    assert store.rows() == contents
    assert (len(store.inserts), service.stats.events) == (1, 500)
    assert not is_looked_at(messages)
    assert lane.handler.describe().endswith("in runs, past its chain")


def test_at_most_once_goes_in_runs_as_well():
    """Expect all of a run to be committed before it is stored, and no message of it that anybody has looked at."""
    store, contents = FakeStore(), payloads(500)
    service = make_service(store, batch_size=1000, clock=ManualClock())
    with lane_of(service, delivery="at_most_once") as lane:
        messages = lane.deliver(*contents)
        lane.wait_committed(500)
        inserts = len(store.inserts)

    assert inserts == 0
    assert store.rows() == contents
    assert not is_looked_at(messages)


def test_batches_of_250_are_250_in_runs_as_well():
    """Expect a run of 499 and one of 501 to make four, each INSERT with a token of its own."""
    store = FakeStore()
    contents = payloads(1000)
    service = make_service(store, batch_size=250, max_batch_size=250, clock=ManualClock())
    with lane_of(service) as lane:
        lane.deliver(*contents[:499])
        lane.deliver(*contents[499:])
        lane.wait_committed(1000)

    assert [len(insert.lines) for insert in store.inserts] == [250] * 4
    assert len({insert.token for insert in store.inserts}) == 4
    assert store.rows() == contents


@pytest.mark.parametrize(
    ("register", "options", "why"),
    [
        pytest.param(BULK, {}, "its handler takes no runs", id="bulk"),
        pytest.param(REGULAR, {"concurrency": 2}, "order is kept per message key", id="threads"),
    ],
)
def test_what_needs_each_message_gets_each(register, options, why):
    """Expect such a lane to go one by one, to say so, and to store what it gets."""
    store = FakeStore()
    service = make_service(store, batch_size=3)
    contents = payloads(3) if register != BULK else [make_batch(*payloads(3))]
    with lane_of(service, register=register, **options) as lane:
        messages = lane.deliver(*contents)
        store.wait_for_inserts(1)
        lane.wait_committed(len(contents))

    assert why in lane.handler.describe()
    assert is_looked_at(messages)
    assert len(store.rows()) == 3


@pytest.mark.parametrize("in_runs", [True, False])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param(b"no event", "malformed JSON at byte 0", id="no JSON"),
        pytest.param(make_payload(id=""), "id: ", id="an empty id"),
        pytest.param(make_payload() + make_payload(id="second"), "more text after the object", id="two events"),
        pytest.param(make_payload(event_name="x" * 2_000_000), "more than max_message_bytes", id="too large"),
    ],
)
def test_bad_event_in_the_middle_of_a_run_is_set_aside_alone(bad, reason, in_runs):
    """Expect its record and its reason, its neighbours stored in order, and everything committed."""
    store, good = FakeStore(), payloads(40)
    service = make_service(store, batch_size=40, clock=ManualClock())
    with lane_of(service, in_runs=in_runs) as lane:
        lane.deliver(*good[:20], bad, *good[20:])
        lane.wait_committed(41)

    assert store.rows() == good
    assert list(lane.poisoned) == [bad]
    assert reason in lane.poisoned[bad]
    assert lane.handler.poisoned == 1


@pytest.mark.parametrize("in_runs", [True, False])
def test_event_that_the_store_refuses_in_the_middle_of_a_run_is_set_aside_alone(in_runs):
    """Expect the others of its run and of its batch stored once, and everything committed."""
    store, contents = FakeStore(), payloads(40)
    store.refuse_lines(lambda line: b'"e-17"' in line)
    service = make_service(store, batch_size=40, clock=ManualClock())
    with lane_of(service, in_runs=in_runs) as lane:
        lane.deliver(*contents[:30])
        lane.deliver(*contents[30:])
        lane.wait_committed(40)

    assert [json.loads(row)["id"] for row in store.rows()] == [f"e-{number}" for number in range(40) if number != 17]
    assert list(lane.poisoned) == [contents[17]]
    assert (service.stats.events, service.stats.refused, lane.handler.poisoned) == (39, 1, 1)


def test_commit_waits_for_the_first_row_that_is_not_stored():
    """Expect what stands behind a batch in trouble to wait, though it is of the same run."""
    store = FakeStore()
    service = make_service(store, batch_size=10, max_batch_size=10)
    with lane_of(service) as lane:
        lane.deliver(*payloads(25))
        store.wait_for_inserts(2)
        assert eventually(lambda: lane.subscriber.subscription.committed() == 20)
        assert service.message_batcher.pending == 5

    assert lane.subscriber.subscription.committed() == 25
    assert len(store.rows()) == 25


def outcome_of(in_runs):
    """Return what 60 events with a few that are refused leave behind, with billing and post-processing."""
    store, publisher = FakeStore(), RecordingPublisher()
    store.refuse_lines(lambda line: b'"e-33"' in line)
    service = make_service(
        store,
        billing=BILLING,
        post_processor=PostProcessor(publisher, "done"),
        batch_size=60,
        clock=ManualClock(),
    )
    contents = payloads(60)
    contents[7] = make_payload(id="e-7", external_customer_id="other", timestamp="2026-11-23T10:00:00.1239999+01:00")
    contents.insert(44, b"no event")
    with lane_of(service, in_runs=in_runs) as lane:
        for start in range(0, 61, 20):
            lane.deliver(*contents[start : start + 20])
        lane.wait_committed(61)
    told = [(message.payload, message.key, message.metadata) for message in publisher.messages("done")]
    return store.rows(), told, service.stats, lane.poisoned, lane.handler.poisoned


def test_billing_and_post_processing_are_those_of_one_by_one():
    """Expect the same rows, messages, numbers and records, in the same order."""
    in_runs, by_message = outcome_of(True), outcome_of(False)

    assert in_runs == by_message
    assert in_runs[2].rows == 118
    assert len(in_runs[1]) == 59


def test_rows_that_were_deleted_come_back_with_the_same_run():
    """Expect a token for each batch: the same payloads once more are no repetition."""
    store, contents = FakeStore(), payloads(10)
    service = make_service(store, batch_size=10, clock=ManualClock())
    with lane_of(service) as lane:
        for number in (1, 2):
            lane.deliver(*contents)
            lane.wait_committed(10 * number)

    assert store.rows() == contents * 2
    assert len({insert.token for insert in store.inserts}) == 2


def test_rest_of_a_revoked_run_is_stored_before_it_goes():
    """Expect a revoke to flush what is in no batch yet, and to commit it."""
    store = FakeStore()
    service = make_service(store, batch_size=100, clock=ManualClock())
    with lane_of(service) as lane:
        lane.deliver(*payloads(30))
        assert eventually(lambda: service.message_batcher.pending == 30)

        assert lane.subscriber.subscription.revoke(0)
        assert lane.subscriber.subscription.commits[-1][1] == 30
    assert len(store.rows()) == 30


def test_run_of_a_lost_partition_is_dropped():
    """Expect nothing of it to be stored: whoever has the partition now reads it again."""
    store = FakeStore()
    service = make_service(store, batch_size=100, clock=ManualClock())
    with lane_of(service) as lane:
        lane.deliver(*payloads(30))
        assert eventually(lambda: service.message_batcher.pending == 30)
        lane.subscriber.subscription.lose(0)

        assert eventually(lambda: service.message_batcher.pending == 0)
    assert store.rows() == []


def test_lane_with_a_limit_takes_its_runs():
    """Expect what its throttle lets go to be stored without a look at any message, as with no limit."""
    store = FakeStore()
    service = make_service(store, batch_size=20)
    with lane_of(service, rate_limit=1e9) as lane:
        messages = lane.deliver(*payloads(20))
        store.wait_for_inserts(1)
        lane.wait_committed(20)

    assert "in runs" in lane.handler.describe()
    assert not is_looked_at(messages)
