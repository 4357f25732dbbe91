"""Rows that the store refuses, so many that the lane halts: early, with what was set aside committed, and nothing else."""

import pytest

from millstream.handlers.events import LaneConfig
from millstream.handlers.store import StoreUnavailable
from millstream.handlers.testing import FakeStore
from millstream.middleware import FailurePolicy
from millstream.router import HaltedError, PoisonTopic, Router, RouterConfig, StormLimits
from millstream.router.testing import FakeSubscriber, ManualClock, RecordingPublisher, eventually, running
from tests.handlers.events.event_payloads import make_batch, make_payload
from tests.handlers.events.service_aids import make_service

pytestmark = pytest.mark.slow  # thousands of events each: tenths of a second

LANE = LaneConfig(topic="events", consumer_group="g", topic_dlq="dlq")


def consuming_lane(poison=None, **limits):
    """Return a router with the regular lane on a store that refuses what is called bad; subscriber, sink and store."""
    store, subscriber, publisher = FakeStore(), FakeSubscriber(), RecordingPublisher()
    store.refuse_lines(lambda line: b'"bad' in line)
    router = Router(RouterConfig(poison_limits=StormLimits(**limits)))
    router.add_middleware(FailurePolicy(retry=None))
    service = make_service(store, batch_size=1000, flush_interval=0.05)
    sink = PoisonTopic(publisher, "dlq") if poison is None else poison
    service.register_handler(router, subscriber, lane=LANE, poison=sink)
    return router, subscriber, publisher, store


def rows(pattern):
    """Return an event for each letter of *pattern*: g is good, b is refused by the store."""
    return [make_payload(id=f"{'bad' if each == 'b' else 'good'} {number}") for number, each in enumerate(pattern)]


def wait_halted(router):
    """Wait until *router* has closed by itself."""
    assert eventually(lambda: router.is_closed)
    with pytest.raises(HaltedError) as caught:
        router.wait_closed()
    return str(caught.value)


def test_a_batch_of_nothing_but_bad_rows_halts_long_before_its_end():
    """The sink hears of refused rows while the batch is taken apart, and the rest of it is neither set aside nor committed."""
    router, subscriber, publisher, store = consuming_lane(max_in_a_row=100)
    router.start()
    sent = rows("b" * 1000)
    subscriber.subscription.deliver(*sent)
    text = wait_halted(router)

    assert "100 messages in a row cannot be handled" in text
    assert [message.payload for message in publisher.messages("dlq")] == sent[:99]
    assert subscriber.subscription.committed() == 99
    assert len(store.inserts) < 200
    assert store.rows() == []


def test_what_was_stored_of_a_batch_that_halts_is_committed():
    """Good rows in front of the bad ones, in the same batch: so the next start repeats none of them, nor any record."""
    router, subscriber, publisher, store = consuming_lane(max_in_a_row=100)
    router.start()
    subscriber.subscription.deliver(*rows("g" * 300 + "b" * 500 + "g" * 100))
    wait_halted(router)

    assert len(store.rows()) == 300
    assert len(publisher.messages("dlq")) == 99
    assert subscriber.subscription.committed() == 399


def test_bad_rows_among_good_ones_halt_nothing_however_many_come_at_once():
    """A batch tells a hundred bad rows at its end: they count where they stood, a tenth of all."""
    router, subscriber, publisher, store = consuming_lane(max_in_a_row=2, max_share=0.1, window=100)
    with running(router):
        subscriber.subscription.deliver(*rows("bgggggggggg" * 91))
        assert subscriber.subscription.wait_committed(1001)

    assert len(publisher.messages("dlq")) == 91
    assert len(store.rows()) == 910


def test_good_batches_end_a_row_of_bad_ones():
    """Two batches that end with bad rows are no row of four, where a good batch was between them."""
    router, subscriber, publisher, store = consuming_lane(max_in_a_row=4)
    with running(router):
        for done, pattern in ((5, "gggbb"), (10, "ggggg"), (15, "bbggg")):
            subscriber.subscription.deliver(*rows(pattern))
            assert subscriber.subscription.wait_committed(done)

    assert len(publisher.messages("dlq")) == 4
    assert len(store.rows()) == 11


def test_bad_rows_of_several_batches_are_one_row():
    """A row goes on from batch to batch, though each tells of its own."""
    router, subscriber, publisher, _ = consuming_lane(max_in_a_row=4)
    router.start()
    subscriber.subscription.deliver(*rows("gbb"))
    assert subscriber.subscription.wait_committed(3)
    subscriber.subscription.deliver(*rows("bbg"))
    wait_halted(router)

    assert len(publisher.messages("dlq")) == 3
    assert subscriber.subscription.committed() == 4


def test_a_lane_without_a_sink_takes_no_batch_apart_after_its_first_bad_row():
    """With `"none"` the first row halts: the rest of its batch, and the batches behind it, are left alone."""
    router, subscriber, _, store = consuming_lane(poison="none")
    router.start()
    subscriber.subscription.deliver(*rows("b" * 2000))
    wait_halted(router)

    assert subscriber.subscription.committed() == 0
    assert len(store.inserts) < 500


def bulk_lane(poison=None, *, batch=None, clock=None, **limits):
    """Return the same with the bulk lane."""
    store, subscriber, publisher = FakeStore(), FakeSubscriber(), RecordingPublisher()
    store.refuse_lines(lambda line: b'"bad' in line)
    router = Router(RouterConfig(poison_limits=StormLimits(**limits)))
    router.add_middleware(FailurePolicy(retry=None))
    service = make_service(store, clock=clock, **(batch or {"batch_size": 1000, "flush_interval": 0.05}))
    service.register_bulk_handler(router, subscriber, lane=LANE, poison=poison or PoisonTopic(publisher, "dlq"))
    return router, subscriber, publisher, store


def bulk(pattern, number):
    """Return a bulk message: i is no event, b is refused by the store, g is good."""
    ids = {"g": "good", "b": "bad"}
    return make_batch(
        *(make_payload(id="" if each == "i" else f"{ids[each]} {number} {at}") for at, each in enumerate(pattern))
    )


def test_a_bulk_lane_with_few_bad_events_never_halts_however_far_ahead_of_its_batches_it_is():
    """Events are counted, not messages: each has a bad one, which is one in twenty, and no batch is flushed meanwhile."""
    clock = ManualClock()
    router, subscriber, publisher, store = bulk_lane(
        clock=clock, batch={"batch_size": 100_000}, max_in_a_row=50, max_share=0.1, window=100
    )
    with running(router):
        (batcher,) = router.workers
        subscriber.subscription.deliver(bulk("g", -1))
        assert eventually(lambda: batcher.pending == 1)
        batcher.seal((), 0.0)
        store.wait_for_inserts(1)
        subscriber.subscription.deliver(*(bulk("i" + "g" * 19, number) for number in range(200)))
        assert eventually(lambda: batcher.pending == 200 * 19)

    assert len(publisher.messages("dlq")) == 200
    assert len(store.rows()) == 200 * 19 + 1


def test_a_bulk_lane_whose_events_are_bad_but_for_a_few_halts():
    """Every part that the store refuses counts, though a message has one record."""
    router, subscriber, publisher, _ = bulk_lane(max_in_a_row=1000, max_share=0.5, window=100)
    router.start()
    subscriber.subscription.deliver(*(bulk("b" * 9 + "g", number) for number in range(50)))
    text = wait_halted(router)

    assert "of the last 100 messages cannot be handled" in text
    assert len(publisher.messages("dlq")) < 50


def test_a_lane_that_halts_stores_nothing_more():
    """What would be stored stands behind a message that is not settled, and would come again."""
    router, subscriber, _, store = consuming_lane(poison="none")
    router.start()
    subscriber.subscription.deliver(*rows("gb"))
    assert eventually(lambda: router.is_closed)
    before = len(store.rows())
    wait_halted(router)

    assert before == len(store.rows()) == 1


def test_what_is_set_aside_by_choice_when_retries_are_over_is_no_storm():
    """An outage says nothing about the messages: all of them have their record, and the lane goes on."""
    store, subscriber, publisher = FakeStore(), FakeSubscriber(), RecordingPublisher()
    router = Router(RouterConfig(poison_limits=StormLimits(max_in_a_row=10)))
    router.add_middleware(FailurePolicy(retry=None))
    service = make_service(store, batch_size=30, max_retries=0, on_exhausted="poison")
    service.register_handler(router, subscriber, lane=LANE, poison=PoisonTopic(publisher, "dlq"))
    store.fail_next(StoreUnavailable("away"))
    with running(router):
        subscriber.subscription.deliver(*rows("g" * 30))
        assert subscriber.subscription.wait_committed(30)

    assert len(publisher.messages("dlq")) == 30
