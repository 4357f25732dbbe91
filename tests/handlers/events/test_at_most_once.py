"""A lane that commits what is in a batch: what changes for it, and what does not."""

from functools import partial

import pytest
from loguru import logger

from millstream.handlers.batching import BatchConfig, MessageBatcher
from millstream.handlers.batching.unheld import add_run_unheld
from millstream.handlers.events import LaneConfig
from millstream.handlers.store import StoreUnavailable
from millstream.handlers.testing import FakeStore
from millstream.middleware import FailurePolicy
from millstream.router import (
    Assignment,
    Cancelled,
    ConfigurationError,
    HaltedError,
    InMemoryPubSub,
    Message,
    MessageRun,
    PermanentError,
    PoisonTopic,
    Router,
    RouterConfig,
    StormLimits,
    UndrainedError,
)
from millstream.router.testing import FakeSubscriber, ManualClock, RecordingPublisher, eventually, running
from tests.handlers.events.event_payloads import make_batch, make_payload
from tests.handlers.events.service_aids import make_service, payloads

LANE = LaneConfig(topic="events", consumer_group="g", topic_dlq="dlq", delivery="at_most_once")


class Consuming:
    """The lane on a router that is not started yet, with a clock that the test moves: nothing is flushed by itself."""

    def __init__(self, *, in_runs=False, poison=None, middlewares=(), config=None, **batch):
        self.store, self.subscriber, self.publisher = FakeStore(), FakeSubscriber(in_runs=in_runs), RecordingPublisher()
        self.clock = ManualClock()
        self.service = make_service(self.store, clock=self.clock, **batch)
        self.router = Router(config)
        self.router.add_middleware(*(middlewares or [FailurePolicy(retry=None)]))
        sink = PoisonTopic(self.publisher, "dlq") if poison is None else poison
        self.service.register_handler(self.router, self.subscriber, lane=LANE, poison=sink)

    @property
    def subscription(self):
        """What delivers to it."""
        return self.subscriber.subscription


@pytest.fixture(params=[False, True], ids=["one by one", "in runs"])
def consuming(request):
    """Make such a lane, with messages that come one by one or in runs."""
    return partial(Consuming, in_runs=request.param)


def test_the_offset_is_committed_before_the_insert(consuming):
    """What is in a batch is committed; the row follows with the flush, here at the end."""
    lane = consuming()
    contents = payloads(10)
    with running(lane.router):
        lane.subscription.deliver(*contents)
        assert lane.subscription.wait_committed(10)
        before = len(lane.store.inserts), lane.service.message_batcher.pending

    assert before == (0, 10)
    assert lane.store.rows() == contents


def test_the_same_holds_in_memory():
    """Nothing waits for its commit in the in-memory broker either, while nothing is stored."""
    store, broker, router = FakeStore(), InMemoryPubSub(), Router()
    router.add_middleware(FailurePolicy(retry=None))
    service = make_service(store, clock=ManualClock())
    service.register_handler(router, broker, lane=LANE, publisher=broker)
    with running(router):
        broker.publish("events", *map(Message, payloads(10)))
        assert eventually(lambda: service.message_batcher.pending == 10 and broker.backlog("events") == (0, 0))
        inserts = len(store.inserts)

    assert inserts == 0
    assert len(store.rows()) == 10


def test_a_bulk_message_is_committed_before_its_events_are_stored():
    """Its good events follow with the flush, and its bad ones have their record, as ever."""
    store, subscriber, publisher = FakeStore(), FakeSubscriber(), RecordingPublisher()
    service, router = make_service(store, clock=ManualClock()), Router()
    router.add_middleware(FailurePolicy(retry=None))
    service.register_bulk_handler(router, subscriber, lane=LANE, poison=PoisonTopic(publisher, "dlq"))
    contents, bad = payloads(3), make_payload(id="")
    with running(router):
        subscriber.subscription.deliver(make_batch(*contents, bad))
        assert subscriber.subscription.wait_committed(1)
        before = len(store.inserts), service.bulk_message_batcher.pending
    (record,) = publisher.messages("dlq")

    assert before == (0, 3)
    assert store.rows() == contents
    assert record.payload == make_batch(bad)


def bulk_lane(poison, *middlewares):
    """The bulk lane on a router that is not started: router, subscriber, service and store."""
    store, subscriber = FakeStore(), FakeSubscriber()
    service, router = make_service(store, clock=ManualClock()), Router()
    router.add_middleware(FailurePolicy(retry=None), *middlewares)
    service.register_bulk_handler(router, subscriber, lane=LANE, poison=poison)
    return router, subscriber, service, store


def test_a_bad_event_of_a_bulk_message_is_not_committed_before_its_record():
    """With no sink the lane halts at it, and the message comes again: nothing of it is lost by that."""
    router, subscriber, _, _ = bulk_lane("none")
    router.start()
    subscriber.subscription.deliver(make_batch(*payloads(2), make_payload(id="")))
    assert eventually(lambda: router.is_closed)

    assert subscriber.subscription.committed() == 0
    with pytest.raises(HaltedError):
        router.wait_closed()


def test_a_handler_that_is_called_again_adds_no_part_of_a_bulk_message_twice():
    """A middleware that calls it twice gets one row for each event, and one record for the bad one."""

    def twice(next_handler):
        def handle(message):
            next_handler(message)
            return next_handler(message)

        return handle

    publisher = RecordingPublisher()
    router, subscriber, _, store = bulk_lane(PoisonTopic(publisher, "dlq"), twice)
    contents = payloads(3)
    with running(router):
        subscriber.subscription.deliver(make_batch(*contents, make_payload(id="")))
        assert subscriber.subscription.wait_committed(1)

    assert store.rows() == contents
    assert len(publisher.messages("dlq")) == 1


def test_a_row_that_is_refused_after_its_commit_goes_to_the_sink_all_the_same(consuming):
    """Its record says where the message stood and why it was refused, and it is counted."""
    lane = consuming()
    lane.store.refuse_lines(lambda line: b"bad" in line)
    with running(lane.router):
        lane.subscription.deliver(make_payload(id="good"), make_payload(id="bad"))
        assert lane.subscription.wait_committed(2)
    (record,) = lane.publisher.messages("dlq")

    assert record.payload == make_payload(id="bad")
    assert record.metadata["offset_poisoned"] == "1"
    assert record.metadata["handler_poisoned"] == "event_consumption_handler"
    assert "refused as scripted" in record.metadata["reason_poisoned"]
    assert lane.router.handlers["event_consumption_handler"].poisoned == 1


def test_what_no_decoder_takes_is_committed_with_its_record(consuming):
    """It never comes into a batch, so nothing changes for it."""
    lane = consuming()
    lane.publisher.break_down(PermanentError("no broker"))
    with running(lane.router):
        lane.subscription.deliver(b"no event")
        assert lane.publisher.wait_attempts(1)
        before = lane.subscription.committed()
        lane.publisher.recover()

    assert before == 0
    assert lane.subscription.committed() == 1


@pytest.mark.parametrize("how", ["revoke", "lose"])
def test_what_is_in_a_batch_is_stored_though_its_partition_has_gone(how, consuming):
    """Nobody else will read it: it is committed."""
    lane = consuming()
    with running(lane.router):
        lane.subscription.deliver(*payloads(3))
        assert lane.subscription.wait_committed(3)
        getattr(lane.subscription, how)(0)

    assert len(lane.store.rows()) == 3


def test_a_handler_that_is_called_again_adds_no_second_row():
    """A middleware that fails after the handler makes the message come again; its row is in the batch already."""
    failures = [ValueError("once")]

    def fail_afterwards(next_handler):
        def handle(message):
            next_handler(message)
            if failures:
                raise failures.pop()

        return handle

    lane = Consuming(middlewares=[fail_afterwards], config=RouterConfig(nack_resend_delay=0.0))
    with running(lane.router):
        lane.subscription.deliver(*payloads(1))
        assert lane.subscription.wait_committed(1)

    assert failures == []
    assert len(lane.store.rows()) == 1


def test_a_batch_is_tried_again_as_ever(consuming):
    """A store that is away for a moment loses nothing."""
    lane = consuming()
    lane.store.fail_next(StoreUnavailable("away"))
    with running(lane.router):
        lane.subscription.deliver(*payloads(5))
        assert lane.subscription.wait_committed(5)
        for count in (1, 2):
            lane.clock.advance_to_next_deadline()
            lane.store.wait_for_inserts(count)

    assert len(lane.store.rows()) == 5


@pytest.fixture
def errors():
    """The records of all errors that are logged."""
    records = []
    sink = logger.add(lambda text: records.append(text.record), level="ERROR")
    logger.enable("millstream")
    yield records
    logger.disable("millstream")
    logger.remove(sink)


def test_rows_that_are_lost_at_the_end_are_told(errors, consuming):
    """The store was away until the close time-out: an error says how many are not known to be stored."""
    lane = consuming(config=RouterConfig(close_timeout=0.2))
    lane.store.fail_next(*[StoreUnavailable("away")] * 1000)
    lane.router.start()
    lane.subscription.deliver(*payloads(5))
    assert lane.subscription.wait_committed(5)

    with pytest.raises(UndrainedError):
        lane.router.close()
    (said,) = [record for record in errors if "not known to be stored" in record["message"]]
    assert said["extra"]["messages"] == 5


def test_a_refused_row_halts_a_lane_without_a_sink(consuming):
    """There is nowhere to put it: the router stops, though the message is committed."""
    lane = consuming(poison="none", batch_size=1)
    lane.store.refuse_lines(lambda line: True)
    lane.router.start()
    lane.subscription.deliver(*payloads(1))
    assert eventually(lambda: lane.router.is_closed)

    with pytest.raises(HaltedError, match="refused as scripted"):
        lane.router.wait_closed()


def test_a_storm_of_refused_rows_halts_as_ever(consuming):
    """The sink has fewer than the limit."""
    lane = consuming(batch_size=20, config=RouterConfig(poison_limits=StormLimits(max_in_a_row=10)))
    lane.store.refuse_lines(lambda line: True)
    lane.router.start()
    lane.subscription.deliver(*payloads(20))
    assert eventually(lambda: lane.router.is_closed)

    with pytest.raises(HaltedError, match="10 messages in a row"):
        lane.router.wait_closed()
    assert len(lane.publisher.messages("dlq")) == 9


def test_a_partition_that_goes_meanwhile_keeps_its_messages():
    """Nothing of a run is added that somebody else reads again."""
    assignment = Assignment("events", 0)
    run, batcher = MessageRun([b"a", b"b"], assignment, 0, 1), MessageBatcher(BatchConfig(), lambda batch: None)
    batcher.start()
    assignment.close()

    with pytest.raises(Cancelled):
        add_run_unheld(batcher, run, [1, 2])
    assert batcher.pending == 0


def test_no_other_delivery_is_known():
    """What is misspelt is no silent default."""
    with pytest.raises(ConfigurationError, match="delivery must be 'at_least_once' or 'at_most_once', not 'exactly'"):
        LaneConfig(topic="t", consumer_group="g", topic_dlq="none", delivery="exactly")
