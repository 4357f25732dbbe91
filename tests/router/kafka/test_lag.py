"""How far a group is behind."""

import contextlib

import pytest
from confluent_kafka import Producer

from millstream.router import ConfigurationError, KafkaSubscriber, KafkaSubscriberConfig
from millstream.router.kafka.lag import GroupLag, TopicEnds
from millstream.router.testing import eventually
from tests.router.kafka.real_kafka import unique


@pytest.mark.parametrize(
    ("committed", "lag"),
    [
        pytest.param({0: 10, 1: 4}, 0, id="all of it"),
        pytest.param({0: 7}, 5, id="a partition without a commit counts from its beginning"),
        pytest.param({}, 12, id="nothing"),
        pytest.param({0: 0, 1: 0}, 12, id="what is not kept any more does not count"),
        pytest.param({0: 99, 1: 99}, 0, id="more than there was"),
    ],
)
def test_lag_is_what_is_kept_and_not_committed(committed, lag):
    """Counted in offsets, over all partitions."""
    assert TopicEnds(first={0: 0, 1: 2}, end={0: 10, 1: 4}).lag(committed) == lag


@pytest.fixture
def produced(real_kafka):
    """A topic of two partitions with 10 and 5 records."""
    topic = real_kafka.create_topic(2)
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers})
    for number in range(15):
        producer.produce(topic, b"x", partition=number % 3 // 2)
    producer.flush()
    return topic


def test_ends_and_commits_are_those_of_the_broker(real_kafka, produced):
    """Seen from outside the group, which need not exist yet."""
    config = KafkaSubscriberConfig(
        brokers=[real_kafka.bootstrap_servers], group_id=unique("group"), commit_interval=0.1
    )
    with contextlib.closing(GroupLag(config, produced)) as lag:
        ends, before = lag.ends(), lag.committed()
        with contextlib.closing(KafkaSubscriber(config)) as subscriber:
            subscription = subscriber.subscribe(produced)
            received = 0
            while received < 15:
                for message in subscription.receive(100, 1.0):
                    message.ack()
                    received += 1
            assert eventually(lambda: ends.lag(lag.committed()) == 0, 30.0)

    assert (ends.first, ends.end) == ({0: 0, 1: 0}, {0: 10, 1: 5})
    assert (before, ends.lag(before)) == ({}, 15)


def test_missing_topic_is_named(real_kafka):
    """There is nothing to be behind of."""
    config = KafkaSubscriberConfig(brokers=[real_kafka.bootstrap_servers], group_id="group")
    with (
        contextlib.closing(GroupLag(config, "nowhere")) as lag,
        pytest.raises(ConfigurationError, match="no topic 'nowhere'"),
    ):
        lag.ends()
