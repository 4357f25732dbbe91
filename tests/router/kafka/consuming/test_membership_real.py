"""Static members that come back, topics that go, and credentials that are wrong, on a real broker."""

import pytest
from confluent_kafka import Producer

from millstream.router import ConfigurationError, Router
from millstream.router.kafka import KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.testing import RecordingHandler, eventually, running
from tests.router.kafka.real_kafka import unique

PARTITIONS = 4
TIMEOUT = 90.0


class Notes:
    """A listener that remembers what it has, and how often something went."""

    def __init__(self):
        self.partitions, self.losses = set(), 0

    def assigned(self, assignments):
        """Remember the partitions."""
        self.partitions |= {each.partition for each in assignments}

    def revoked(self, assignments, deadline):
        """Forget the partitions."""
        self.lost(assignments)

    def lost(self, assignments):
        """Forget the partitions."""
        self.partitions -= {each.partition for each in assignments}
        self.losses += 1


def static_member(kafka, topic, name):
    """Return a subscriber that keeps its partitions over a restart within 30 s."""
    return KafkaSubscriber(
        KafkaSubscriberConfig(
            brokers=[kafka.bootstrap_servers],
            group_id=topic,
            group_instance_id=name,
            session_timeout=30.0,
            heartbeat_interval=0.5,
            commit_interval=0.2,
        )
    )


@pytest.fixture
def join(real_kafka):
    """Return a function that opens a static member's subscription; closes what the test has left open."""
    opened = []

    def joined(topic, name, notes):
        subscriber = static_member(real_kafka, topic, name)
        opened.append(subscriber)
        return subscriber, subscriber.subscribe(topic, notes)

    yield joined
    for subscriber in opened:
        subscriber.close()


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_handlers_of_one_subscriber_are_static_members_side_by_side(real_kafka, protocol):
    """Each reads its topic: with one instance id for both, the broker fences one of them."""
    topics = [real_kafka.create_topic(), real_kafka.create_topic()]
    config = KafkaSubscriberConfig(
        brokers=[real_kafka.bootstrap_servers], group_id=topics[0], group_instance_id="pod-0", group_protocol=protocol
    )
    subscriber, router = KafkaSubscriber(config), Router()
    handlers = [RecordingHandler(), RecordingHandler()]
    for name, topic, handler in zip(("regular", "lazy"), topics, handlers, strict=True):
        router.add_consumer_handler(name, topic, subscriber, handler)
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers})
    with running(router):
        for topic in topics:
            producer.produce(topic, topic.encode())
        assert producer.flush(TIMEOUT) == 0
        assert eventually(lambda: all(handler.payloads for handler in handlers), TIMEOUT)

    assert [handler.payloads for handler in handlers] == [[topic.encode()] for topic in topics]


def test_static_member_comes_back_without_a_rebalance(real_kafka, join):
    """The other member never loses a partition, and the one that was away gets its own back."""
    topic, staying, first, again = real_kafka.create_topic(PARTITIONS), Notes(), Notes(), Notes()
    _, stays = join(topic, "one", staying)
    leaver, leaves = join(topic, "two", first)

    def has_half(notes, *subscriptions):
        for each in subscriptions:
            each.receive(1, 0.01)
        return len(staying.partitions) == len(notes.partitions) == PARTITIONS / 2

    assert eventually(lambda: has_half(first, stays, leaves), TIMEOUT)
    its_own, before = set(first.partitions), staying.losses
    leaver.close()
    _, returned = join(topic, "two", again)
    assert eventually(lambda: has_half(again, stays, returned), TIMEOUT)

    assert again.partitions == its_own
    assert staying.losses == before


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_topic_that_is_deleted_while_it_is_read_ends_the_router_with_its_name(real_kafka, protocol):
    """Waiting for it to come back would be a silent stop."""
    topic = real_kafka.create_topic(1)
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers})
    producer.produce(topic, b"one")
    assert producer.flush(TIMEOUT) == 0
    handler, router = RecordingHandler(), Router()
    # How soon it is noticed: 30 s unless told otherwise.
    quick = {"topic.metadata.refresh.interval.ms": 2000}
    config = KafkaSubscriberConfig(
        brokers=[real_kafka.bootstrap_servers], group_id=topic, group_protocol=protocol, properties=quick
    )
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), handler)
    router.start()
    assert handler.wait_calls(1, TIMEOUT)
    real_kafka.delete_topic(topic)

    with pytest.raises(ConfigurationError, match=topic):
        router.wait_closed(TIMEOUT)


def test_unknown_topic_ends_the_router_with_what_creates_it(real_kafka):
    """It may be a typing error: nothing waits for it."""
    topic = unique("nobody-made-this")
    config = KafkaSubscriberConfig(brokers=[real_kafka.bootstrap_servers], group_id=topic)
    router = Router()
    router.add_consumer_handler("h", topic, KafkaSubscriber(config), RecordingHandler())

    with pytest.raises(ConfigurationError, match=rf"{topic}.*create"), running(router):
        router.wait_closed(TIMEOUT)
