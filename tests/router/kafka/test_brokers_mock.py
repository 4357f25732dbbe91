"""The mock cluster does what its methods say, seen by plain confluent-kafka clients; inside this process and in its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from millstream.router.testing import eventually
from tests.router.kafka.mock_cluster import MockCluster, Request, Seen
from tests.router.kafka.mock_cluster_clients import (
    TIMEOUT,
    commit,
    committed,
    consume,
    open_consumer,
    open_producer,
    produce,
    values_of,
)
from tests.router.kafka.mock_cluster_process import ROOT, MockClusterProcess

pytestmark = pytest.mark.slow  # brokers to talk to: seconds, not milliseconds

Cluster = MockCluster | MockClusterProcess

SHORT = 0.2
DEFAULT_HEARTBEAT = 3.0
"""Seconds: what the mock brokers tell a member where nobody has told them."""
"""Seconds in which a broker on this machine would have answered many times over."""

# A consumer that commits what it has read, says so, and then waits to be killed.
CONSUME_AND_HANG = """
import sys
from tests.router.kafka.mock_cluster_clients import commit, consume, open_consumer
with open_consumer(sys.argv[1], "topic", session_timeout_ms=1500, heartbeat_interval_ms=500) as consumer:
    commit(consumer, "topic", consume(consumer, 2)[-1].offset() + 1)
    print("committed", flush=True)
    while True:
        consumer.poll(1.0)
"""

# A process that has a cluster and goes without a word.
OPEN_AND_DIE = """
import os, signal
from tests.router.kafka.mock_cluster_process import MockClusterProcess
cluster = MockClusterProcess(1)
print(cluster.bootstrap_servers, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(params=["mock_cluster", "mock_cluster_process"])
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """A cluster of either kind, with one topic of three partitions."""
    made: Cluster = request.getfixturevalue(request.param)
    made.create_topic("topic", partitions=3)
    return made


@pytest.fixture
def consumer(cluster: Cluster) -> Iterator[Consumer]:
    """A consumer that has read the two records of a partition, and so has joined its group."""
    produce(cluster.bootstrap_servers, "topic", [b"0", b"1"])
    with open_consumer(cluster.bootstrap_servers, "topic") as opened:
        consume(opened, 2)
        yield opened


def admin(cluster: Cluster) -> AdminClient:
    """Return a client that asks for metadata."""
    return AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})


def run_python(code: str, *arguments: str) -> "subprocess.Popen[str]":
    """Start a child that runs *code* with this tree on its path."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def can_answer(servers: str, timeout: float) -> bool:
    """Tell whether some broker answers within *timeout* seconds."""
    try:
        AdminClient({"bootstrap.servers": servers, "log_level": 0}).list_topics(timeout=timeout)
    except KafkaException:
        return False
    return True


def test_a_topic_has_the_partitions_it_was_created_with(cluster: Cluster) -> None:
    """Expect clients to see three brokers and three partitions."""
    metadata = admin(cluster).list_topics("topic", TIMEOUT)

    assert sorted(metadata.brokers) == [1, 2, 3]
    assert sorted(metadata.topics["topic"].partitions) == [0, 1, 2]


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_what_was_produced_is_consumed_by_a_group(cluster: Cluster, protocol: str) -> None:
    """Expect the records in their order, and no wait for other members, with both group protocols."""
    undelivered = produce(cluster.bootstrap_servers, "topic", [b"a", b"b"])
    began = time.monotonic()
    with open_consumer(cluster.bootstrap_servers, "topic", group_protocol=protocol) as consumer:
        records = consume(consumer, 2)
    seconds = time.monotonic() - began

    assert undelivered == 0
    assert values_of(records) == [b"a", b"b"]
    assert seconds < 2.5, "the default delay of 3 s is still on"


def test_an_injected_error_is_answered_once(cluster: Cluster, consumer: Consumer) -> None:
    """Expect the commit to fail with the very error, and the next one to succeed."""
    cluster.fail(Request.OFFSET_COMMIT, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaException) as caught:
        commit(consumer, "topic", 2)
    commit(consumer, "topic", 1)

    assert caught.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert committed(consumer, "topic") == 1


def test_forgotten_faults_do_not_happen(cluster: Cluster, consumer: Consumer) -> None:
    """Expect a commit to succeed after the error it would have met was forgotten."""
    cluster.fail(Request.OFFSET_COMMIT, KafkaError.TOPIC_AUTHORIZATION_FAILED)
    cluster.forget_faults(Request.OFFSET_COMMIT)
    commit(consumer, "topic", 2)

    assert committed(consumer, "topic") == 2


def test_a_delayed_answer_is_late_once(cluster: Cluster, consumer: Consumer) -> None:
    """Expect one commit to take at least the delay, and to succeed."""
    cluster.delay(Request.OFFSET_COMMIT, SHORT)
    began = time.monotonic()
    commit(consumer, "topic", 2)
    seconds = time.monotonic() - began

    assert seconds >= SHORT
    assert committed(consumer, "topic") == 2


def test_a_slow_broker_delays_every_answer(cluster: Cluster, consumer: Consumer) -> None:
    """Expect each of two commits to take at least the delay."""
    cluster.set_delay(SHORT)
    began = time.monotonic()
    commit(consumer, "topic", 1)
    commit(consumer, "topic", 2)
    seconds = time.monotonic() - began

    assert seconds >= 2 * SHORT


def test_a_cluster_that_is_down_takes_nothing_until_it_is_up(cluster: Cluster) -> None:
    """Expect a record to wait in the producer while the brokers are down, and to arrive when they are back."""
    producer = open_producer(cluster.bootstrap_servers)
    producer.produce("topic", b"before", partition=0)
    producer.flush(TIMEOUT)
    cluster.set_down()
    producer.produce("topic", b"during", partition=0)
    waiting = producer.flush(SHORT)
    cluster.set_up()
    left = producer.flush(TIMEOUT)
    with open_consumer(cluster.bootstrap_servers, "topic") as consumer:
        records = consume(consumer, 2)

    assert (waiting, left) == (1, 0)
    assert values_of(records) == [b"before", b"during"]


def test_deleted_records_are_gone_for_good(cluster: Cluster) -> None:
    """Expect the first offset of the partition to move up."""
    produce(cluster.bootstrap_servers, "topic", [b"0", b"1", b"2"])
    cluster.delete_records("topic", 0, 2)
    with open_consumer(cluster.bootstrap_servers) as consumer:
        low_and_high = consumer.get_watermark_offsets(TopicPartition("topic", 0), TIMEOUT)

    assert low_and_high == (2, 3)


def test_a_deleted_topic_is_unknown(cluster: Cluster) -> None:
    """Expect the list of topics to lack it."""
    cluster.delete_topic("topic")

    assert "topic" not in admin(cluster).list_topics(timeout=TIMEOUT).topics


def test_a_topic_error_is_told_instead_of_its_metadata(cluster: Cluster) -> None:
    """Expect the topic to carry the error, and none once it is taken back."""
    cluster.set_topic_error("topic", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    told = admin(cluster).list_topics("topic", TIMEOUT).topics["topic"].error
    cluster.set_topic_error("topic", 0)

    assert told is not None
    assert told.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert admin(cluster).list_topics("topic", TIMEOUT).topics["topic"].error is None


def test_a_partition_moves_to_the_leader_that_is_named(cluster: Cluster) -> None:
    """Expect the metadata to name it, and nobody when there is none."""
    leaders = []
    for broker in (1, 3, -1):
        cluster.set_leader("topic", 1, broker)
        leaders.append(admin(cluster).list_topics("topic", TIMEOUT).topics["topic"].partitions[1].leader)

    assert leaders == [1, 3, -1]


def test_requests_are_noted_with_their_broker(cluster: Cluster, consumer: Consumer) -> None:
    """Expect the commit, and nothing from before the watch began, at the group's coordinator."""
    commit(consumer, "topic", 1)
    for broker in (1, 2):
        cluster.set_coordinator("other", broker)
        cluster.watch()
        with open_consumer(cluster.bootstrap_servers, group_id="other") as other:
            commit(other, "topic", 1)

        assert cluster.requests(Request.OFFSET_COMMIT) == [Seen(broker, Request.OFFSET_COMMIT)]
        assert len(cluster.requests()) > 1


def test_a_member_of_the_new_protocol_beats_as_often_as_the_broker_says(cluster: Cluster) -> None:
    """Expect several heartbeats in the time that the default of seconds would leave for one."""

    def beats() -> int:
        return len(cluster.requests(Request.CONSUMER_GROUP_HEARTBEAT))

    cluster.set_group_times(session=6.0, heartbeat=0.05)
    produce(cluster.bootstrap_servers, "topic", [b"0"])
    with open_consumer(cluster.bootstrap_servers, "topic", group_protocol="consumer") as consumer:
        consume(consumer, 1)
        cluster.watch()

        assert eventually(lambda: consumer.poll(0.05) or beats() >= 3, DEFAULT_HEARTBEAT)


def test_what_does_not_exist_is_refused(cluster: Cluster) -> None:
    """Expect KafkaException for an unknown broker, a topic twice, and an unknown partition."""
    for call in (
        lambda: cluster.set_down(9),
        lambda: cluster.delay(Request.FETCH, 1.0, broker=9),
        lambda: cluster.create_topic("topic"),
        lambda: cluster.delete_topic("other"),
        lambda: cluster.delete_records("topic", 9, 1),
    ):
        with pytest.raises(KafkaException):
            call()


@pytest.mark.slow
def test_a_killed_consumer_leaves_its_commit_behind(mock_cluster_process: MockClusterProcess) -> None:
    """Expect the next member of the group to go on after what was committed."""
    mock_cluster_process.create_topic("topic")
    servers = mock_cluster_process.bootstrap_servers
    produce(servers, "topic", [b"0", b"1", b"2"])
    with run_python(CONSUME_AND_HANG, servers) as child:
        said = child.stdout.readline() if child.stdout else ""
        child.kill()
    # The mock waits for members that have gone as long as the newest one's session, 45 s by default.
    with open_consumer(servers, "topic", session_timeout_ms=1500, heartbeat_interval_ms=500) as consumer:
        records = consume(consumer, 1)

    assert said == "committed\n"
    assert child.returncode == -signal.SIGKILL
    assert values_of(records) == [b"2"]


def test_a_frozen_cluster_answers_nothing_until_it_is_thawed(mock_cluster_process: MockClusterProcess) -> None:
    """Expect no answer while the process is stopped, and one afterwards."""
    mock_cluster_process.freeze()
    frozen = can_answer(mock_cluster_process.bootstrap_servers, SHORT)
    mock_cluster_process.thaw()

    assert not frozen
    assert can_answer(mock_cluster_process.bootstrap_servers, TIMEOUT)


def test_a_killed_cluster_is_gone(mock_cluster_process: MockClusterProcess) -> None:
    """Expect no answer any more, and a call that says why it cannot be made."""
    mock_cluster_process.kill()

    assert not can_answer(mock_cluster_process.bootstrap_servers, SHORT)
    with pytest.raises((RuntimeError, BrokenPipeError)):
        mock_cluster_process.watch()


def test_a_cluster_ends_with_the_process_that_made_it() -> None:
    """Expect the brokers to be gone once their maker was killed: nothing may be left over from a broken run."""
    with run_python(OPEN_AND_DIE) as child:
        servers = child.stdout.readline().strip() if child.stdout else ""
    deadline = time.monotonic() + TIMEOUT
    while can_answer(servers, SHORT) and time.monotonic() < deadline:
        pass

    assert servers
    assert not can_answer(servers, SHORT)
