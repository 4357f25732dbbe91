"""Receiving from Kafka brokers that librdkafka mocks: commits, rebalances, bounds, and what goes wrong."""

import itertools
import threading
from functools import partial

import pytest
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from millstream.router import (
    Cancelled,
    ConfigurationError,
    HaltedError,
    Router,
    StateError,
    SubscriptionClosed,
    testing,
)
from millstream.router.kafka.config import KafkaSubscriberConfig
from millstream.router.kafka.consuming.subscriber import KafkaSubscriber
from millstream.router.testing import RecordingHandler, running
from tests.router.kafka.mock_cluster import MockCluster, Request

pytestmark = pytest.mark.slow  # brokers to talk to: seconds, not milliseconds

QUICK = {"session_timeout": 6.0, "heartbeat_interval": 0.2, "commit_interval": 0.1}
"""Times that let a group settle in a test."""
TIMEOUT = 90.0
"""For what comes within a second, on a busy machine."""

eventually = partial(testing.eventually, timeout=TIMEOUT)

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def brokers():
    """A mock cluster for this file."""
    cluster = MockCluster(1)
    yield cluster
    cluster.close()


@pytest.fixture
def topic(brokers):
    """A topic of its own with two partitions; also the name of the group that reads it."""
    name = f"topic-{next(_numbers)}"
    brokers.create_topic(name, 2)
    return name


@pytest.fixture
def subscriber(brokers, topic):
    """A function that makes subscribers of the topic's group; they are closed at the end."""
    made = []

    def make(**options):
        config = {"brokers": [brokers.bootstrap_servers], "group_id": topic, **QUICK, **options}
        made.append(KafkaSubscriber(KafkaSubscriberConfig(**config)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def produce(brokers, topic, payloads, partition=0, **options):
    """Write *payloads* to one partition."""
    producer = Producer({"bootstrap.servers": brokers.bootstrap_servers})
    for payload in payloads:
        producer.produce(topic, payload, partition=partition, **options)
    assert producer.flush(TIMEOUT) == 0


def committed(brokers, topic, partitions=2):
    """Return the committed offsets of the topic's group, -1001 where there is none."""
    consumer = Consumer({"bootstrap.servers": brokers.bootstrap_servers, "group.id": topic})
    found = consumer.committed([TopicPartition(topic, number) for number in range(partitions)], timeout=TIMEOUT)
    consumer.close()
    return [each.offset for each in found]


def numbers(first, end):
    """Return the payloads from *first* up to *end*."""
    return [b"%d" % number for number in range(first, end)]


def receive(subscription, count):
    """Receive *count* messages."""
    received = []
    assert eventually(
        lambda: received.extend(subscription.receive(count - len(received), 0.2)) or len(received) >= count
    )
    return received


def test_message_knows_where_it_stood(brokers, topic, subscriber):
    """Payload, key, uuid, metadata, place and time come from the record."""
    headers = [("_watermill_message_uuid", b"u-1"), ("tenant_id", b"acme")]
    produce(brokers, topic, [b"payload"], partition=1, key=b"k", headers=headers)
    (message,) = receive(subscriber().subscribe(topic), 1)

    assert (message.payload, message.key, message.uuid, message.metadata) == (
        b"payload",
        b"k",
        "u-1",
        {"tenant_id": "acme"},
    )
    assert (message.topic, message.partition, message.offset) == (topic, 1, 0)
    assert message.timestamp > 1e9


@pytest.mark.slow
def test_handled_messages_are_committed_at_the_close(brokers, topic, subscriber):
    """After a graceful close the group stands behind everything that was handled, and nothing of it comes again."""
    produce(brokers, topic, numbers(0, 100))
    handler = RecordingHandler()
    router = Router()
    router.add_consumer_handler("h", topic, subscriber(), handler)
    with running(router):
        assert handler.wait_calls(100, TIMEOUT)
    after = committed(brokers, topic)
    produce(brokers, topic, [b"next"])
    (message,) = receive(subscriber().subscribe(topic), 1)

    assert after[0] == 100
    assert message.payload == b"next"


def test_settled_messages_are_committed(brokers, topic, subscriber):
    """What was handled is committed while the router runs, at the commit interval."""
    produce(brokers, topic, numbers(0, 100))
    handler, router = RecordingHandler(), Router()
    router.add_consumer_handler("h", topic, subscriber(), handler)
    with running(router):
        assert handler.wait_calls(100, TIMEOUT)

        assert eventually(lambda: committed(brokers, topic)[0] == 100)


def test_nothing_is_committed_past_a_hold(brokers, topic, subscriber):
    """Acks alone commit nothing: the first message that is still held keeps the commit back."""
    produce(brokers, topic, numbers(0, 10))
    holds, router = [], Router()
    router.add_consumer_handler("h", topic, subscriber(), lambda m: holds.append(m.hold(holds)))
    with running(router):
        assert eventually(lambda: len(holds) == 10)
        for hold in [*holds[:3], *holds[4:]]:
            hold.release()
        assert eventually(lambda: committed(brokers, topic)[0] == 3)
        held_back = committed(brokers, topic)[0]
        holds[3].release()
        assert eventually(lambda: committed(brokers, topic)[0] == 10)

    assert held_back == 3


@pytest.mark.slow
def test_late_settlement_never_commits(brokers, topic, subscriber):
    """A hold released after its partition went changes nothing for whoever has it now."""
    produce(brokers, topic, numbers(0, 5))
    holds, router = [], Router()
    one = subscriber()
    router.add_consumer_handler("h", topic, one, lambda m: holds.append(m.hold(holds)))
    router.start()
    assert eventually(lambda: len(holds) == 5)
    router.abort()
    for hold in holds:
        hold.release()
    again = receive(subscriber().subscribe(topic), 5)

    assert all(hold.is_void for hold in holds)
    assert [message.payload for message in again] == numbers(0, 5)


def test_messages_nacked_without_a_router_come_again(brokers, topic, subscriber):
    """A raw reader that nacks gets the message again, and it is committed only after its ack."""
    produce(brokers, topic, numbers(0, 3))
    subscription = subscriber(nack_resend_delay=0.01).subscribe(topic)
    first = receive(subscription, 3)
    first[0].nack()
    for message in first[1:]:
        message.ack()
    again = receive(subscription, 1)
    again[0].ack()
    subscription.close()

    assert [message.payload for message in again] == [b"0"]
    assert committed(brokers, topic)[0] == 3


def test_full_buffer_holds_back_and_loses_nothing(brokers, topic, subscriber):
    """A handler that stands still fills the bounded buffer; when it goes on, everything comes, in order."""
    produce(brokers, topic, numbers(0, 3000))
    gate, seen, router = threading.Event(), [], Router()
    slow = subscriber(buffer_messages=100, pause_after=0.05)

    def handle(message):
        gate.wait(TIMEOUT)
        seen.append(message.payload)

    router.add_consumer_handler("h", topic, slow, handle)
    with running(router):
        assert eventually(lambda: slow.statistics()[0].is_paused)
        waiting = slow.statistics()[0].buffered_messages
        gate.set()
        assert eventually(lambda: len(seen) == 3000)

    assert waiting < 1200
    assert seen == numbers(0, 3000)


@pytest.mark.slow
def test_partition_at_max_pending_is_paused_and_the_other_goes_on(brokers, topic, subscriber):
    """Holds that are not released stop their partition at the bound, not the other one."""
    produce(brokers, topic, numbers(0, 5000), partition=0)
    holds, other, router = [], [], Router()

    def handle(message):
        if message.partition == 0:
            holds.append(message.hold(holds))
        else:
            other.append(message.payload)

    router.add_consumer_handler("h", topic, subscriber(max_pending=1000), handle)
    with running(router):
        assert eventually(lambda: len(holds) >= 1000)
        produce(brokers, topic, numbers(0, 10), partition=1)
        assert eventually(lambda: len(other) == 10)
        bounded = len(holds)
        assert eventually(lambda: [each.release() for each in list(holds)] and len(holds) == 5000)
        for each in holds:
            each.release()

    assert bounded < 3000
    assert committed(brokers, topic) == [5000, 10]


def test_unknown_topic_is_an_error_that_names_it_and_what_creates_it(brokers, subscriber):
    """A topic that does not exist ends the router with a text that says what to do."""
    router = Router()
    router.add_consumer_handler("h", "no-such-topic", subscriber(), lambda message: None)
    router.start()

    with pytest.raises(ConfigurationError, match=r"no-such-topic.*--topic no-such-topic --create-topic"):
        router.wait_closed(TIMEOUT)


def test_committed_offset_that_is_gone_halts(brokers, topic, subscriber):
    """An offset out of range is never jumped silently."""
    produce(brokers, topic, numbers(0, 3))
    consumer = Consumer({"bootstrap.servers": brokers.bootstrap_servers, "group.id": topic})
    consumer.commit(offsets=[TopicPartition(topic, 0, 999)], asynchronous=False)
    consumer.close()
    router = Router()
    router.add_consumer_handler("h", topic, subscriber(), lambda message: None)
    router.start()

    with pytest.raises(HaltedError, match="not in the log any more"):
        router.wait_closed(TIMEOUT)


@pytest.mark.parametrize(("start_from", "expected"), [("earliest", b"old"), ("latest", b"new")])
def test_group_without_a_commit_starts_where_it_is_told(brokers, topic, subscriber, start_from, expected):
    """`start_from` decides for partitions that the group has never committed."""
    produce(brokers, topic, [b"old"])
    subscription = subscriber(start_from=start_from).subscribe(topic)
    if start_from == "latest":
        assert eventually(lambda: subscription.statistics().partitions)
        assert subscription.receive(10, 1.0) == []
    produce(brokers, topic, [b"new"])

    assert receive(subscription, 1)[0].payload == expected


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_coordinator_that_is_moving_is_asked_again(brokers, topic, subscriber, protocol):
    """What a broker says in the middle of a move ends nothing, and the group goes on where it had committed."""
    produce(brokers, topic, numbers(0, 5))
    first = subscriber(group_protocol=protocol).subscribe(topic)
    for message in receive(first, 5):
        message.ack()
    first.close()
    produce(brokers, topic, numbers(5, 10))
    brokers.fail(Request.OFFSET_FETCH, *[KafkaError.NOT_COORDINATOR] * 5)
    received = receive(subscriber(group_protocol=protocol).subscribe(topic), 5)

    assert [each.payload for each in received] == numbers(5, 10)


def test_group_that_starts_at_the_end_loses_nothing_between_its_members(brokers, topic, subscriber):
    """The first member settled nothing; what came in its time and after it goes to the second."""
    produce(brokers, topic, [b"old"])
    first = subscriber(start_from="latest").subscribe(topic)
    assert eventually(lambda: first.statistics().partitions)
    produce(brokers, topic, [b"unsettled"])
    assert receive(first, 1)[0].payload == b"unsettled"
    first.close()
    produce(brokers, topic, [b"new"])
    received = receive(subscriber(start_from="latest").subscribe(topic), 2)

    assert [each.payload for each in received] == [b"unsettled", b"new"]


@pytest.mark.slow
def test_brokers_that_go_away_are_waited_for(brokers, topic, subscriber):
    """An outage ends nothing: what is published afterwards arrives, and everything is committed."""
    handler, router = RecordingHandler(), Router()
    router.add_consumer_handler("h", topic, subscriber(), handler)
    produce(brokers, topic, numbers(0, 5))
    with running(router):
        assert handler.wait_calls(5, TIMEOUT)
        brokers.set_down()
        pause = threading.Event()
        pause.wait(1.0)
        brokers.set_up()
        produce(brokers, topic, numbers(5, 10))
        assert handler.wait_calls(10, TIMEOUT)

    assert handler.payloads == numbers(0, 10)
    assert committed(brokers, topic)[0] == 10


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="range"),
        pytest.param({"assignment_strategy": "cooperative-sticky"}, id="cooperative"),
        pytest.param({"group_protocol": "consumer"}, id="KIP-848"),
    ],
)
def test_member_closes_though_its_group_begins_to_share_out_anew(brokers, topic, subscriber, options):
    """A revoke that waits unanswered when the close begins neither ends the process nor keeps the close waiting."""
    brokers.set_group_times(6.0, 0.2)
    produce(brokers, topic, numbers(0, 50))
    # With a full buffer the poll thread waits for room, and answers nothing meanwhile.
    leaving = subscriber(buffer_messages=1, pause_after=2.0, **options).subscribe(topic)
    receive(leaving, 1)
    staying = subscriber(**options).subscribe(topic)
    threading.Event().wait(1.0)  # five heartbeats: the group has begun, and waits for the one that leaves
    leaving.close()

    assert not leaving._thread.is_alive
    assert {message.payload for message in receive(staying, 50)} == set(numbers(0, 50))


def test_close_ends_the_subscription_and_may_be_called_twice(brokers, topic, subscriber):
    """After the close there is nothing to receive, and no new subscription."""
    one = subscriber()
    subscription = one.subscribe(topic)
    one.close()
    one.close()
    subscription.close()

    with pytest.raises(SubscriptionClosed):
        subscription.receive(1, 1.0)
    with pytest.raises(StateError):
        one.subscribe(topic)


def test_hold_on_a_partition_that_has_gone_is_cancelled(brokers, topic, subscriber):
    """Whoever takes a hold too late is told to drop the work."""
    produce(brokers, topic, [b"x"])
    subscription = subscriber().subscribe(topic)
    (message,) = receive(subscription, 1)
    subscription.close()

    with pytest.raises(Cancelled):
        message.hold("an owner")


def test_statistics_tell_what_waits_and_what_is_pending(brokers, topic, subscriber):
    """Before and after settlement, by partition; after the close there is nothing left and no error."""
    produce(brokers, topic, [b"a", b"b", b"c"])
    mine = subscriber()
    subscription = mine.subscribe(topic)
    first = receive(subscription, 3)[0]
    (before,) = mine.statistics()
    first.ack()
    assert eventually(lambda: mine.statistics()[0].partitions[0].next_offset == 1)
    (after,) = mine.statistics()
    subscription.close()
    (closed,) = mine.statistics()

    assert (before.topic, before.buffered_messages, before.buffered_bytes, before.outage) == (topic, 0, 0, "")
    assert [each.partition for each in before.partitions] == [0, 1]
    zero = before.partitions[0]
    assert (zero.pending, zero.settled, zero.next_offset) == (3, 0, None)
    zero = after.partitions[0]
    assert (zero.pending, zero.settled, zero.next_offset) == (2, 1, 1)
    assert closed.partitions == []
