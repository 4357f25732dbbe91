"""The four promises of the original's batching, with a clock that the test moves; and how lanes are registered."""

import pytest
from loguru import logger

from millstream.handlers.events import EventConsumptionService, LaneConfig
from millstream.handlers.testing import FakeStore
from millstream.middleware import FailurePolicy
from millstream.router import DROP, HALT, REDELIVER, ConfigurationError, InMemoryPubSub, Message, PoisonFile, Router
from millstream.router.testing import ManualClock, eventually, running
from tests.handlers.events.event_payloads import make_payload
from tests.handlers.events.service_aids import consuming, make_service, payloads, publish


def test_one_event_is_stored_within_the_interval():
    """A single event is stored when its interval is over, and not before."""
    clock, store = ManualClock(), FakeStore()
    with consuming(make_service(store, clock=clock, flush_interval=5.0)) as (broker, _, _):
        publish(broker, payloads(1))
        assert clock.wait_for_waiters()
        clock.advance(4.99)
        early = len(store.inserts)
        clock.advance(0.01)
        store.wait_for_inserts(1)

        assert early == 0
        assert len(store.rows()) == 1


def test_250_events_are_stored_at_once_with_one_insert():
    """A full batch is one INSERT, without any time passing."""
    store = FakeStore()
    with consuming(make_service(store, clock=ManualClock())) as (broker, _, _):
        publish(broker, payloads(250))
        store.wait_for_inserts(1)

        assert [len(insert.lines) for insert in store.inserts] == [250]


@pytest.mark.slow
def test_500_events_at_50_a_second_are_exactly_two_size_flushes():
    """Ten seconds of a steady stream are two INSERTs of 250 rows, none of them by time."""
    clock, store = ManualClock(), FakeStore()
    contents = payloads(500)
    service = make_service(store, clock=clock)
    with consuming(service) as (broker, _, _):
        for number, content in enumerate(contents, start=1):
            publish(broker, [content])
            assert eventually(lambda count=number: service.message_batcher.pending == count % 250)
            if number % 250 == 0:
                store.wait_for_inserts(number // 250)
            clock.advance(0.02)

    assert [len(insert.lines) for insert in store.inserts] == [250, 250]


def test_what_is_left_is_stored_at_shutdown():
    """Closing the router stores the open batch and commits it."""
    store = FakeStore()
    service = make_service(store, clock=ManualClock())
    with consuming(service) as (broker, _, _):
        publish(broker, payloads(7))
        assert eventually(lambda: service.message_batcher.pending == 7)

    assert len(store.rows()) == 7
    assert broker.backlog("events") == (0, 0)


def test_the_handler_acks_at_once_and_the_commit_waits_for_the_row():
    """Messages are handled while nothing is stored, and settled only when the store has them."""
    store = FakeStore()
    service = make_service(store, clock=ManualClock())
    with consuming(service) as (broker, _, _):
        publish(broker, payloads(10))
        assert eventually(lambda: broker.backlog("events")[0] == 0 and service.message_batcher.pending == 10)
        unsettled = broker.backlog("events")[1]

    assert unsettled == 10
    assert broker.backlog("events") == (0, 0)


def test_both_lanes_and_a_handler_of_the_user_run_in_one_router():
    """Regular and lazy lane and a user's own handler, wrapped in the user's own middleware, work side by side."""
    store, seen, wrapped = FakeStore(), [], []

    def count(next_handler):
        def handle(message):
            wrapped.append(message.topic)
            return next_handler(message)

        return handle

    service, broker, router = make_service(store), InMemoryPubSub(), Router()
    router.add_middleware(count, FailurePolicy(retry=None))
    service.register_handler(router, broker, publisher=broker)
    service.register_handler_lazy(router, broker, publisher=broker)
    router.add_consumer_handler("mine", "orders", broker, lambda message: seen.append(message.payload), poison="drop")
    with running(router):
        publish(broker, [make_payload(id="regular")], "events")
        publish(broker, [make_payload(id="lazy")], "events_lazy")
        publish(broker, [b"an order"], "orders")
        assert eventually(lambda: len(wrapped) == 3)

    assert seen == [b"an order"]
    assert sorted(wrapped) == ["events", "events_lazy", "orders"]
    assert len(store.rows()) == 2


def test_lanes_have_batchers_of_their_own():
    """The events of two lanes never share an INSERT."""
    store = FakeStore()
    service, broker, router = make_service(store, clock=ManualClock()), InMemoryPubSub(), Router()
    service.register_handler(router, broker, publisher=broker)
    service.register_handler_lazy(router, broker, publisher=broker)
    with running(router):
        publish(broker, payloads(2), "events")
        publish(broker, payloads(3), "events_lazy")
        batchers = (service.message_batcher, service.lazy_message_batcher)
        assert eventually(lambda: [each.pending for each in batchers] == [2, 3])

    assert sorted(len(insert.lines) for insert in store.inserts) == [2, 3]


def test_a_bad_event_goes_to_the_topic_of_its_lane_with_the_reason():
    """An undecodable message is published to the lane's poison topic; good ones around it are stored."""
    store = FakeStore()
    with consuming(make_service(store)) as (broker, _, handler):
        poisoned = broker.subscribe("dlq")
        publish(broker, [make_payload(id="good"), make_payload(id=""), b"not json", make_payload(id="good-2")])
        assert eventually(lambda: handler.poisoned == 2)
        records = poisoned.receive(10, 5.0)

    assert len(store.rows()) == 2
    assert [record.metadata["handler_poisoned"] for record in records] == ["event_consumption_handler"] * 2
    assert records[0].metadata["reason_poisoned"].startswith("id: ")
    assert records[1].payload == b"not json"


def test_a_row_that_the_store_refuses_goes_to_the_poison_topic_alone():
    """The store's word on one row does not hurt its neighbours."""
    store = FakeStore()
    store.refuse_lines(lambda line: b'"e-3"' in line)
    service = make_service(store, batch_size=10)
    with consuming(service) as (broker, _, handler):
        publish(broker, payloads(10))
        assert eventually(lambda: handler.poisoned == 1)

    assert len(store.rows()) == 9
    assert service.stats.refused == 1
    assert broker.backlog("events") == (0, 0)


def test_the_batch_configuration_is_logged_at_registration():
    """Registering a handler says which batch configuration it runs with."""
    records = []
    sink = logger.add(lambda line: records.append(line.record), level="INFO")
    logger.enable("millstream")
    try:
        service = make_service(batch_size=100)
        service.register_handler(Router(), InMemoryPubSub(), poison="drop")
    finally:
        logger.disable("millstream")
        logger.remove(sink)
    extra = records[0]["extra"]

    assert (extra["batch_size"], extra["flush_interval"], extra["max_retries"]) == (100, 5.0, 3)


@pytest.mark.parametrize(
    "register", ["register_handler", "register_handler_lazy", "register_handler_replay", "register_bulk_handler"]
)
@pytest.mark.parametrize(
    ("arguments", "options", "what"),
    [
        (
            (InMemoryPubSub(), Router()),
            {},
            r"router is a InMemoryPubSub: pass a Router; the order is \(router, subscriber\)",
        ),
        ((Router, InMemoryPubSub()), {}, "router is the class Router: pass a Router"),
        (
            (Router(), InMemoryPubSub),
            {},
            r"subscriber is the class InMemoryPubSub: pass an instance, InMemoryPubSub\(…\)",
        ),
        ((Router(), InMemoryPubSub()), {"lane": "events"}, r"lane is 'events': pass LaneConfig\(…\)"),
        ((Router(), InMemoryPubSub()), {"poison": "events-dlq"}, r"PoisonTopic\(publisher, 'events-dlq'\)"),
        ((Router(), InMemoryPubSub()), {"publisher": "events-dlq"}, r"'events-dlq', which has no publish\(\)"),
    ],
    ids=["swapped", "class of a router", "class of a subscriber", "lane", "poison", "publisher"],
)
def test_a_registration_that_can_never_work_is_refused(register, arguments, options, what):
    """Each lane says what to pass, where it is registered; nothing is left in the router."""
    options = {
        "lane": LaneConfig(topic="t", consumer_group="g", topic_dlq="dlq"),
        "publisher": InMemoryPubSub(),
        **options,
    }
    with pytest.raises(ConfigurationError, match=what):
        getattr(make_service(), register)(*arguments, **options)

    assert not any(isinstance(each, Router) and each.handlers for each in arguments)


def test_a_flush_is_logged_with_the_lines_of_the_original():
    """The texts and fields that the original's monitoring looks for are there."""
    records = []
    sink = logger.add(lambda line: records.append(line.record), level="DEBUG")
    logger.enable("millstream")
    try:
        with consuming(make_service(batch_size=3)) as (broker, _, _):
            publish(broker, payloads(3))
            assert eventually(lambda: any(each["message"] == "batch processing completed" for each in records))
    finally:
        logger.disable("millstream")
        logger.remove(sink)
    texts = [record["message"] for record in records]
    completed = next(record for record in records if record["message"] == "batch processing completed")

    for text in (
        "message batcher started",
        "batching event from message queue",
        "size-based batch flush triggered",
        "batch flush successful",
    ):
        assert text in texts
    assert {key: completed["extra"][key] for key in ("batch_size", "total_events_inserted", "post_process_errors")} == {
        "batch_size": 3,
        "total_events_inserted": 3,
        "post_process_errors": 0,
    }
    assert completed["extra"]["duration_ms"] >= 0


def test_a_poison_topic_without_a_publisher_is_refused():
    """A lane whose poison topic nobody can publish to is an error at registration, not a loss later."""
    with pytest.raises(ConfigurationError, match=r"event_consumption_handler: topic_dlq .*'event_processing_dlq'"):
        make_service().register_handler(Router(), InMemoryPubSub())


@pytest.mark.parametrize(("word", "choice"), [("none", HALT), ("halt", HALT), ("drop", DROP), ("redeliver", REDELIVER)])
def test_topic_dlq_takes_the_words_of_poison(word, choice):
    """They name no topic, so that nobody has to publish."""
    lane = LaneConfig(topic="events", consumer_group="g", topic_dlq=word)
    handler = make_service().register_handler(Router(), InMemoryPubSub(), lane=lane)

    assert handler.poison is choice
    assert lane.poison_topic is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"topic_dlq": ""}, "topic_dlq must be chosen", id="no poison topic chosen"),
        pytest.param({"rate_limit": 0}, "rate_limit must be more than 0", id="zero rate"),
        pytest.param({"concurrency": 0}, "concurrency must be at least 1", id="no thread"),
        pytest.param({"topic": ""}, "topic must not be empty", id="no topic"),
    ],
)
def test_a_wrong_lane_is_refused(options, message):
    """Settings of a lane that make no sense are refused by name."""
    with pytest.raises(ConfigurationError, match=message):
        LaneConfig(**{"topic": "t", "consumer_group": "g", "topic_dlq": "d", **options})


def test_a_lane_may_take_any_poison_sink(tmp_path):
    """A poison sink that is given wins over the lane's topic."""
    path = tmp_path / "poison.ndjson"
    with consuming(make_service(), poison=PoisonFile(path)) as (broker, _, handler):
        publish(broker, [b"[]"])
        assert eventually(lambda: handler.poisoned == 1)

    assert b"expected" in path.read_bytes().lower()


def test_a_rate_limit_throttles_the_lane():
    """A lane with a rate limit is slowed by a throttle of its own, on the router's clock."""
    clock, service = ManualClock(), make_service(clock=ManualClock())
    broker, router = InMemoryPubSub(), Router(clock=clock)
    lane = LaneConfig(topic="events", consumer_group="g", topic_dlq="drop", rate_limit=2.0)
    service.register_handler(router, broker, lane=lane)
    with running(router):
        publish(broker, payloads(2))
        first = clock.advance_to_next_deadline()
        assert eventually(lambda: service.message_batcher.pending == 2)

    assert first == pytest.approx(0.5)


def test_process_message_stores_one_event_with_an_insert_of_its_own():
    """The old way returns only after the row is stored, one INSERT per message."""
    store = FakeStore()
    service = make_service(store)
    for content in payloads(3):
        service.process_message(Message(content))

    assert [len(insert.lines) for insert in store.inserts] == [1, 1, 1]


def test_process_raw_event_needs_no_broker():
    """A payload from a function service is stored when the call returns."""
    store = FakeStore()
    EventConsumptionService.process_raw_event(make_service(store), make_payload())

    assert store.rows() == [make_payload()]
