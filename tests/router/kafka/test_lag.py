"""How far a group is behind."""

import contextlib
import threading

import pytest
from confluent_kafka import KafkaError, Producer

from millstream.router import ConfigurationError, KafkaSubscriber, KafkaSubscriberConfig, TransientError
from millstream.router.kafka.lag import GroupLag, TopicEnds
from millstream.router.testing import eventually
from tests.router.kafka.mock_cluster import Request
from tests.router.kafka.real_kafka import unique

pytestmark = pytest.mark.slow  # brokers to talk to: tenths of a second each


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


@pytest.mark.parametrize(
    ("committed", "holds"),
    [
        pytest.param({0: 10, 1: 4}, True, id="to the end"),
        pytest.param({1: 3}, True, id="not all of it"),
        pytest.param({0: 11, 1: 4}, False, id="beyond the end"),
        pytest.param({0: 10, 1: 4, 2: 1}, False, id="of a partition that is gone"),
    ],
)
def test_a_log_holds_what_is_committed_up_to_its_end(committed, holds):
    """A commit beyond it is of a log that was longer."""
    assert TopicEnds(first={0: 0, 1: 2}, end={0: 10, 1: 4}).hold(committed) is holds


@pytest.fixture
def mock_lag(mock_cluster):
    """Of a topic with 2 partitions, on brokers that answer as a test says."""
    mock_cluster.create_topic("events", 2)
    config = KafkaSubscriberConfig(brokers=mock_cluster.bootstrap_servers.split(","), group_id="group")
    with contextlib.closing(GroupLag(config, "events")) as lag:
        yield lag


ODD = {
    "not the coordinator": KafkaError.NOT_COORDINATOR,
    "coordinator loads": KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    "topic unknown": KafkaError.UNKNOWN_TOPIC_OR_PART,
    "leader of an epoch to come": KafkaError.UNKNOWN_LEADER_EPOCH,
    "leader of an epoch gone by": KafkaError.FENCED_LEADER_EPOCH,
    "leader without offsets": KafkaError.OFFSET_NOT_AVAILABLE,
    "never heard of": KafkaError.UNKNOWN,
}


@pytest.mark.parametrize("code", ODD.values(), ids=ODD)
@pytest.mark.parametrize(("request_type", "question"), [("OFFSET_FETCH", "committed"), ("LIST_OFFSETS", "ends")])
def test_an_odd_answer_is_of_the_moment(mock_cluster, mock_lag, request_type, question, code):
    """Whatever it is: who asks again is answered, and nothing has to end for it."""
    mock_lag.ends()
    mock_lag.committed()
    mock_cluster.fail(Request[request_type], *[code] * 20)
    with pytest.raises(TransientError):
        getattr(mock_lag, question)(0.3)
    mock_cluster.forget_faults(Request[request_type])

    assert getattr(mock_lag, question)() is not None


@pytest.mark.parametrize("code", [KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED])
def test_a_refusal_is_not_waited_out(mock_cluster, mock_lag, code):
    """Somebody has to grant us the right."""
    mock_cluster.fail(Request.OFFSET_FETCH, code)

    with pytest.raises(ConfigurationError, match="what the group has committed cannot be looked at"):
        mock_lag.committed()


@pytest.mark.slow
def test_a_topic_that_is_heard_of_late_is_waited_for(mock_cluster, mock_lag):
    """Brokers hear of a new topic one after the other."""
    mock_cluster.set_topic_error("events", KafkaError.UNKNOWN_TOPIC_OR_PART)
    heard = threading.Timer(0.5, mock_cluster.set_topic_error, ["events", KafkaError.NO_ERROR])
    heard.start()
    ends = mock_lag.ends()
    heard.join()

    assert set(ends.end) == {0, 1}


def test_a_topic_that_was_there_is_not_believed_to_be_missing(mock_cluster, mock_lag):
    """What runs is not ended by a broker that has just not heard of it."""
    mock_lag.ends()
    mock_cluster.set_topic_error("events", KafkaError.UNKNOWN_TOPIC_OR_PART)

    with pytest.raises(TransientError, match="no topic 'events' any more"):
        mock_lag.ends()


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


def test_an_open_transaction_counts_where_it_is_asked_for(real_kafka):
    """The end that who reads committed records comes to is before it."""
    topic = real_kafka.create_topic(1)
    producer = Producer({"bootstrap.servers": real_kafka.bootstrap_servers, "transactional.id": unique("transaction")})
    producer.init_transactions(30.0)
    producer.begin_transaction()
    producer.produce(topic, b"x")
    producer.flush()
    config = KafkaSubscriberConfig(brokers=[real_kafka.bootstrap_servers], group_id=unique("group"))
    with contextlib.closing(GroupLag(config, topic)) as lag:
        committed, all_of_it = lag.ends(), lag.ends(with_open=True)
    producer.abort_transaction(30.0)

    assert (committed.end, all_of_it.end) == ({0: 0}, {0: 1})


def test_missing_topic_is_named(real_kafka):
    """There is nothing to be behind of."""
    config = KafkaSubscriberConfig(brokers=[real_kafka.bootstrap_servers], group_id="group")
    with (
        contextlib.closing(GroupLag(config, "nowhere")) as lag,
        pytest.raises(ConfigurationError, match=r"topic 'nowhere' does not exist on .*create it with"),
    ):
        lag.ends()
